"""Video Swin, over 32 frames. A name without a window is the paper's default. Torch-free."""

from ...core.spec import Size, Spec
from .variant import Variant, make_spec

PAPER = "Liu et al. 2021 (Video Swin), section 3.3"


def video(
    letter: str, window: Size, size: int, *aliases: str, drop_path: float, num_classes: int = 400
) -> Variant:
    """Return a Video Swin over 32 frames."""
    spec = make_spec(Spec, letter, (window,) * 4, patch=(2, 4, 4), merge=(1, 2, 2), drop_path=drop_path)
    return Variant(spec, (32, size, size), num_classes, PAPER, aliases)


VARIANTS: dict[str, Variant] = {
    "video-swin-t": video("t", (8, 7, 7), 224, "swin_tiny_patch244_window877", "swin3d_t", drop_path=0.1),
    "video-swin-s": video("s", (8, 7, 7), 224, "swin_small_patch244_window877", "swin3d_s", drop_path=0.2),
    "video-swin-b": video("b", (8, 7, 7), 224, "swin_base_patch244_window877", "swin3d_b", drop_path=0.3),
    "video-swin-b-w16x7x7": video(
        "b", (16, 7, 7), 224, "swin_base_patch244_window1677", drop_path=0.4, num_classes=174
    ),
    "video-swin-l": video("l", (8, 7, 7), 224, "swin_large_patch244_window877", drop_path=0.3),
    "video-swin-l-w8x12x12-384": video(
        "l", (8, 12, 12), 384, "swin_large_384_patch244_window8_12_12", drop_path=0.3
    ),
}

"""V1, Swin-S3 and our own smallest. A name without a window is the paper's default. Torch-free."""

from ...core.spec import Spec
from .variant import W12, W14, Variant, make_spec, pico, squares

PAPER = "Liu et al. 2021, section 3.3"
SIMMIM = "Xie et al. 2022 (SimMIM), section 4"
S3 = "Chen et al. 2021 (Searching the Search Space of Vision Transformer), https://arxiv.org/abs/2111.14725"


def v1(
    letter: str, window: int | tuple[int, ...], size: int, source: str, *aliases: str, drop_path: float
) -> Variant:
    """Return a V1, with one window for all stages or one for each."""
    spec = make_spec(Spec, letter, squares(window), drop_path=drop_path)
    return Variant(spec, (size, size), 1000, source, aliases)


def s3(depth: int, windows: tuple[int, ...], alias: str) -> Variant:
    """Return a V1 whose windows and depth of the third stage were found by search."""
    spec = make_spec(Spec, "t", squares(windows), depths=(2, 2, depth, 2), drop_path=0.1)
    return Variant(spec, (224, 224), 1000, S3, (alias,))


VARIANTS: dict[str, Variant] = {
    "swin-pico": pico(Spec),
    "swin-t": v1(
        "t",
        7,
        224,
        PAPER,
        "swin_tiny_patch4_window7_224",
        "swin_tiny_patch4_window7",
        "swin_tiny",
        "swin_t",
        drop_path=0.2,
    ),
    "swin-s": v1(
        "s",
        7,
        224,
        PAPER,
        "swin_small_patch4_window7_224",
        "swin_small_patch4_window7",
        "swin_small",
        "swin_s",
        drop_path=0.3,
    ),
    "swin-b": v1(
        "b",
        7,
        224,
        PAPER,
        "swin_base_patch4_window7_224",
        "swin_base_patch4_window7",
        "swin_base",
        "swin_b",
        "swin_base__img224_window7",
        drop_path=0.5,
    ),
    "swin-l": v1("l", 7, 224, PAPER, "swin_large_patch4_window7_224", "swin_large", drop_path=0.2),
    "swin-b-w12-384": v1("b", 12, 384, PAPER, "swin_base_patch4_window12_384", drop_path=0.5),
    "swin-l-w12-384": v1("l", 12, 384, PAPER, "swin_large_patch4_window12_384", drop_path=0.2),
    "swin-t-c24-w8-256": Variant(
        make_spec(Spec, "t", squares(8), num_heads=(4, 8, 16, 32), drop_path=0.2),  # heads of 24 channels
        (256, 256),
        1000,
        "official repository, model hub",
        ("swin_tiny_c24_patch4_window8_256",),
    ),
    "swin-b-w6-192": v1(
        "b", 6, 192, SIMMIM, "swin_base__img192_window6", "swin_base_simmim_window6_192", drop_path=0.1
    ),
    "swin-l-w12-192": v1(
        "l", W12, 192, SIMMIM, "swin_large__img192_window12", "swin_large_simmim_window12_192", drop_path=0.0
    ),
    "swin-l-w14": v1("l", W14, 224, SIMMIM, "swin_large__img224_window14", drop_path=0.2),
    "swin-s3-t": s3(6, (7, 7, 14, 7), "swin_s3_tiny_224"),
    "swin-s3-s": s3(18, (14, 14, 14, 7), "swin_s3_small_224"),
    "swin-s3-b": s3(30, (7, 7, 14, 7), "swin_s3_base_224"),
}

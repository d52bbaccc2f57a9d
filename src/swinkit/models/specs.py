"""Every variant's numbers. Torch-free, so that listing them is instant.

The papers write a Swin as its first width, its depths and its window; T, S, B and L are the four
sizes of both papers (V1 section 3.3, V2 section 4.1). A name without a window is the paper's default.
"""

from dataclasses import dataclass

from ..core.spec import Size, Spec
from .config import family_of
from .families import SpecV2


@dataclass(frozen=True)
class Variant:
    """One published (or our own) model: what it is built from, and its usual input and classes."""

    spec: Spec
    size: Size  # pixels per axis of its usual input: (h, w) or (frames, h, w)
    num_classes: int
    source: str
    aliases: tuple[str, ...] = ()  # other libraries' names, without what follows the input size

    @property
    def family(self) -> str:
        """The models that share a builder: "v1", "v2" or "video"."""
        return family_of(self.spec)

    @property
    def task(self) -> str:
        """What it was published for."""
        return "video-classification" if self.family == "video" else "classification"


SIZES = {  # letter: first width, depths, heads
    "t": (96, (2, 2, 6, 2), (3, 6, 12, 24)),
    "s": (96, (2, 2, 18, 2), (3, 6, 12, 24)),
    "b": (128, (2, 2, 18, 2), (4, 8, 16, 32)),
    "l": (192, (2, 2, 18, 2), (6, 12, 24, 48)),
}
W12 = (12, 12, 12, 6)  # at 192 pixels the last grid is 6 x 6
W14 = (14, 14, 14, 7)
W16 = (16, 16, 16, 8)
W24 = (24, 24, 24, 12)
V1 = "Liu et al. 2021, section 3.3"
V2 = "Liu et al. 2022, section 4.1"
VIDEO = "Liu et al. 2021 (Video Swin), section 3.3"
SIMMIM = "Xie et al. 2022 (SimMIM), section 4"


def v1(
    letter: str, window: int | tuple[int, ...], size: int, source: str, *aliases: str, drop_path: float
) -> Variant:
    """A V1; one window for all stages, or one for each."""
    dim, depths, heads = SIZES[letter]
    spec = Spec(
        embed_dim=dim, depths=depths, num_heads=heads, window_sizes=squares(window), drop_path=drop_path
    )
    return Variant(spec, (size, size), 1000, source, aliases)


def v2(
    letter: str,
    window: int | tuple[int, ...],
    size: int,
    source: str,
    *aliases: str,
    drop_path: float = 0.2,
    pretrained: bool = False,
) -> Variant:
    """A V2; `pretrained` if its windows grew from the 12, 12, 12, 6 of pre-training at 192 pixels."""
    dim, depths, heads = SIZES[letter]
    spec = SpecV2(
        embed_dim=dim,
        depths=depths,
        num_heads=heads,
        window_sizes=squares(window),
        drop_path=drop_path,
        pretrained_window_sizes=squares(W12) if pretrained else None,
    )
    return Variant(spec, (size, size), 1000, source, aliases)


def video(
    letter: str, window: Size, size: int, *aliases: str, drop_path: float, num_classes: int = 400
) -> Variant:
    """A Video Swin over 32 frames."""
    dim, depths, heads = SIZES[letter]
    spec = Spec(
        patch=(2, 4, 4),
        merge=(1, 2, 2),
        embed_dim=dim,
        depths=depths,
        num_heads=heads,
        window_sizes=(window,) * 4,
        drop_path=drop_path,
    )
    return Variant(spec, (32, size, size), num_classes, VIDEO, aliases)


def squares(window: int | tuple[int, ...]) -> tuple[Size, ...]:
    """Square windows of four stages."""
    return tuple((w, w) for w in (window if isinstance(window, tuple) else (window,) * 4))


VARIANTS: dict[str, Variant] = {
    "swin-pico": Variant(
        Spec(
            patch=(2, 2),
            embed_dim=48,
            depths=(2, 4, 2),
            num_heads=(3, 6, 12),
            window_sizes=((4, 4),) * 3,
            mlp_ratio=2.0,
            drop_path=0.05,
        ),
        (32, 32),
        10,
        "swinkit: a Swin for small pictures",
    ),
    "swin-t": v1("t", 7, 224, V1, "swin_tiny_patch4_window7_224", "swin_t", drop_path=0.2),
    "swin-s": v1("s", 7, 224, V1, "swin_small_patch4_window7_224", "swin_s", drop_path=0.3),
    "swin-b": v1(
        "b", 7, 224, V1, "swin_base_patch4_window7_224", "swin_b", "swin_base__img224_window7", drop_path=0.5
    ),
    "swin-l": v1("l", 7, 224, V1, "swin_large_patch4_window7_224", drop_path=0.2),
    "swin-b-w12-384": v1("b", 12, 384, V1, "swin_base_patch4_window12_384", drop_path=0.5),
    "swin-l-w12-384": v1("l", 12, 384, V1, "swin_large_patch4_window12_384", drop_path=0.2),
    "swin-t-c24-w8-256": Variant(
        Spec(
            embed_dim=96,
            depths=(2, 2, 6, 2),
            num_heads=(4, 8, 16, 32),  # of 24 channels each
            window_sizes=squares(8),
            drop_path=0.2,
        ),
        (256, 256),
        1000,
        "official repository, model hub",
        ("swin_tiny_c24_patch4_window8_256",),
    ),
    "swin-b-w6-192": v1("b", 6, 192, SIMMIM, "swin_base__img192_window6", drop_path=0.1),
    "swin-l-w12-192": v1("l", W12, 192, SIMMIM, "swin_large__img192_window12", drop_path=0.0),
    "swin-l-w14": v1("l", W14, 224, SIMMIM, "swin_large__img224_window14", drop_path=0.2),
    "swinv2-t": v2("t", 8, 256, V2, "swinv2_tiny_patch4_window8_256", "swin_v2_t"),
    "swinv2-s": v2("s", 8, 256, V2, "swinv2_small_patch4_window8_256", "swin_v2_s", drop_path=0.3),
    "swinv2-b": v2("b", 8, 256, V2, "swinv2_base_patch4_window8_256", "swin_v2_b", drop_path=0.5),
    "swinv2-l": v2("l", 8, 256, V2),
    "swinv2-t-w16": v2("t", W16, 256, V2, "swinv2_tiny_patch4_window16_256"),
    "swinv2-s-w16": v2("s", W16, 256, V2, "swinv2_small_patch4_window16_256", drop_path=0.3),
    "swinv2-b-w16": v2("b", W16, 256, V2, "swinv2_base_patch4_window16_256", drop_path=0.5),
    "swinv2-s-w12-192": v2("s", W12, 192, SIMMIM),
    "swinv2-b-w12-192": v2(
        "b", W12, 192, V2, "swinv2_base_patch4_window12_192", "swinv2_base__img192_window12"
    ),
    "swinv2-l-w12-192": v2("l", W12, 192, V2, "swinv2_large_patch4_window12_192"),
    "swinv2-b-w14-224-from12": v2(
        "b", W14, 224, SIMMIM, "swinv2_base__img224_window14", drop_path=0.1, pretrained=True
    ),
    "swinv2-b-w16-from12": v2("b", W16, 256, V2, "swinv2_base_patch4_window12to16_192to256", pretrained=True),
    "swinv2-b-w24-from12": v2("b", W24, 384, V2, "swinv2_base_patch4_window12to24_192to384", pretrained=True),
    "swinv2-l-w16-from12": v2(
        "l", W16, 256, V2, "swinv2_large_patch4_window12to16_192to256", pretrained=True
    ),
    "swinv2-l-w24-from12": v2(
        "l", W24, 384, V2, "swinv2_large_patch4_window12to24_192to384", pretrained=True
    ),
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

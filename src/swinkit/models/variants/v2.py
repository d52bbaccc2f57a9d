"""V2, up to the 3 billion of G, and our own smallest. A name without a window is the paper's. Torch-free."""

from dataclasses import replace

from ..families import SpecV2
from .variant import W12, W14, Variant, make_spec, pico, squares

PAPER = "Liu et al. 2022, section 4.1"
SIMMIM = "Xie et al. 2022 (SimMIM), section 4"
SCALING = "Xie et al. 2022 (On Data Scaling in Masked Image Modeling), https://arxiv.org/abs/2206.04664"
W16 = (16, 16, 16, 8)
W24 = (24, 24, 24, 12)
W40 = (40, 40, 40, 20)


def v2(
    letter: str,
    window: int | tuple[int, ...],
    size: int,
    source: str,
    *aliases: str,
    drop_path: float = 0.2,
    pretrained: bool = False,
) -> Variant:
    """Return a V2; `pretrained` if its windows grew from the 12, 12, 12, 6 of pre-training at 192 pixels.

    H and G norm their main branch after every sixth block.
    """
    spec = make_spec(
        SpecV2,
        letter,
        squares(window),
        drop_path=drop_path,
        pretrained_window_sizes=squares(W12) if pretrained else None,
        norm_every=6 if letter in "hg" else None,
    )
    return Variant(spec, (size, size), 1000, source, aliases)


def simmim(variant: Variant, alias: str, **changes: object) -> Variant:
    """Return the variant as SimMIM's authors pre-trained it, without norms on the main branch."""
    spec = replace(variant.spec, **{"norm_every": None, **changes})
    return replace(variant, spec=spec, source=SCALING, aliases=(alias,))


H = v2("h", W12, 192, PAPER, "swinv2_huge")
H14 = v2("h", W14, 224, SIMMIM, "simmim_swinv2_huge_224", pretrained=True)

VARIANTS: dict[str, Variant] = {
    "swinv2-pico": pico(SpecV2),
    "swinv2-t": v2("t", 8, 256, PAPER, "swinv2_tiny_patch4_window8_256", "swin_v2_t"),
    "swinv2-s": v2("s", 8, 256, PAPER, "swinv2_small_patch4_window8_256", "swin_v2_s", drop_path=0.3),
    "swinv2-b": v2("b", 8, 256, PAPER, "swinv2_base_patch4_window8_256", "swin_v2_b", drop_path=0.5),
    "swinv2-l": v2("l", 8, 256, PAPER),
    "swinv2-t-w16": v2("t", W16, 256, PAPER, "swinv2_tiny_patch4_window16_256"),
    "swinv2-s-w16": v2("s", W16, 256, PAPER, "swinv2_small_patch4_window16_256", drop_path=0.3),
    "swinv2-b-w16": v2("b", W16, 256, PAPER, "swinv2_base_patch4_window16_256", drop_path=0.5),
    "swinv2-s-w12-192": v2("s", W12, 192, SCALING, "simmim_swinv2_small_data_scaling"),
    "swinv2-b-w12-192": v2(
        "b",
        W12,
        192,
        PAPER,
        "swinv2_base_patch4_window12_192",
        "swinv2_base__img192_window12",
        "simmim_swinv2_base_data_scaling",
    ),
    "swinv2-l-w12-192": v2(
        "l", W12, 192, PAPER, "swinv2_large_patch4_window12_192", "simmim_swinv2_large_data_scaling"
    ),
    "swinv2-b-w14-224-from12": v2(
        "b", W14, 224, SIMMIM, "swinv2_base__img224_window14", drop_path=0.1, pretrained=True
    ),
    "swinv2-s-w14-224-from12": v2("s", W14, 224, SCALING, "finetune_swinv2_small", pretrained=True),
    "swinv2-l-w14-224-from12": v2("l", W14, 224, SCALING, "finetune_swinv2_large", pretrained=True),
    "swinv2-b-w16-from12": v2(
        "b", W16, 256, PAPER, "swinv2_base_patch4_window12to16_192to256", pretrained=True
    ),
    "swinv2-b-w24-from12": v2(
        "b", W24, 384, PAPER, "swinv2_base_patch4_window12to24_192to384", pretrained=True
    ),
    "swinv2-l-w16-from12": v2(
        "l", W16, 256, PAPER, "swinv2_large_patch4_window12to16_192to256", pretrained=True
    ),
    "swinv2-l-w24-from12": v2(
        "l", W24, 384, PAPER, "swinv2_large_patch4_window12to24_192to384", pretrained=True
    ),
    "swinv2-h": H,
    "swinv2-h-w14-224-from12": H14,
    "swinv2-h-w16-512-from12": v2(  # its window is not printed; 16 divides every grid
        "h", 16, 512, SIMMIM, "simmim_swinv2_huge_512", pretrained=True
    ),
    "swinv2-h-simmim": simmim(H, "simmim_swinv2_huge_data_scaling"),
    "swinv2-h-simmim-w14-224-from12": simmim(H14, "finetune_swinv2_huge"),
    "swinv2-g": v2("g", W12, 192, PAPER, "swinv2_giant"),
    "swinv2-g-w40-640-from12": v2("g", W40, 640, PAPER, pretrained=True),
    "swinv2-g-simmim": simmim(  # "giant" there, of 1.06 billion parameters
        H, "simmim_swinv2_giant_data_scaling", embed_dim=448, num_heads=(14, 28, 56, 112)
    ),
    "swinv2-g-simmim-w14-224-from12": simmim(
        H14, "finetune_swinv2_giant", embed_dim=448, num_heads=(14, 28, 56, 112)
    ),
}

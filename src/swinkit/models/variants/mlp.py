"""Swin-MLP. C24, C12 and C6 are the channels of a head. Torch-free."""

from ..families import SpecMLP
from .variant import Variant, make_spec, squares

HUB = "official repository, model hub"


def mlp(letter: str, first_heads: int, window: int, size: int, alias: str, *, drop_path: float) -> Variant:
    """Return a Swin-MLP, whose heads double from stage to stage."""
    heads = tuple(first_heads * 2**stage for stage in range(4))
    spec = make_spec(SpecMLP, letter, squares(window), num_heads=heads, drop_path=drop_path)
    return Variant(spec, (size, size), 1000, HUB, (alias,))


VARIANTS: dict[str, Variant] = {
    "swin-mlp-t-c24": mlp("t", 4, 8, 256, "swin_mlp_tiny_c24_patch4_window8_256", drop_path=0.2),
    "swin-mlp-t-c12": mlp("t", 8, 8, 256, "swin_mlp_tiny_c12_patch4_window8_256", drop_path=0.2),
    "swin-mlp-t-c6": mlp("t", 16, 8, 256, "swin_mlp_tiny_c6_patch4_window8_256", drop_path=0.2),
    "swin-mlp-b": mlp("b", 4, 7, 224, "swin_mlp_base_patch4_window7_224", drop_path=0.5),
}

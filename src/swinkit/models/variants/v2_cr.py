"""timm's V2-CR: its names without a size are those of 224 pixels, `ns` those with a norm after each stage.

timm's windows are an eighth of the finest grid. Torch-free.
"""

from ..families import SpecCR
from .variant import SIZES, Variant, squares

TIMM = "timm, swin_transformer_v2_cr.py"
LETTERS = {"tiny": "t", "small": "s", "base": "b", "large": "l", "huge": "h", "giant": "g"}


def cr(
    word: str,
    size: int,
    *,
    norm_stages: bool = False,
    depths: tuple[int, ...] | None = None,
    heads: tuple[int, ...] | None = None,
) -> Variant:
    """Return a V2-CR for pictures of `size`, with depths and heads if they differ from V2's."""
    letter = LETTERS[word]
    dim, usual_depths, usual_heads = SIZES[letter]
    spec = SpecCR(
        embed_dim=dim,
        depths=depths or usual_depths,
        num_heads=heads or usual_heads,
        window_sizes=squares(size // 4 // 8),
        norm_every=6 if letter in "hg" else None,
        norm_stages=norm_stages,
    )
    alias = f"swinv2_cr_{word}_{'ns_' if norm_stages else ''}{size}"
    return Variant(spec, (size, size), 1000, TIMM, (alias,))


GIANT = (2, 2, 42, 2)  # so it has 2.6 billion parameters, not the paper's 3.0

VARIANTS: dict[str, Variant] = {
    "swinv2-cr-t": cr("tiny", 224),
    "swinv2-cr-t-ns": cr("tiny", 224, norm_stages=True),
    "swinv2-cr-t-384": cr("tiny", 384),
    "swinv2-cr-s": cr("small", 224),
    "swinv2-cr-s-ns": cr("small", 224, norm_stages=True),
    "swinv2-cr-s-ns-256": cr("small", 256, norm_stages=True),
    "swinv2-cr-s-384": cr("small", 384),
    "swinv2-cr-b": cr("base", 224),
    "swinv2-cr-b-ns": cr("base", 224, norm_stages=True),
    "swinv2-cr-b-384": cr("base", 384),
    "swinv2-cr-l": cr("large", 224),
    "swinv2-cr-l-384": cr("large", 384),
    "swinv2-cr-h": cr("huge", 224, heads=(8, 16, 32, 64)),
    "swinv2-cr-h-384": cr("huge", 384),
    "swinv2-cr-g": cr("giant", 224, depths=GIANT),
    "swinv2-cr-g-384": cr("giant", 384, depths=GIANT),
}

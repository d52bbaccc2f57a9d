"""Every variant by name. Torch-free, so that listing them is instant.

One file of `variants` for each family; here they are one table.
"""

from .variants import mlp, moe, v1, v2, v2_cr, video
from .variants.variant import Variant

__all__ = ["VARIANTS", "Variant"]

VARIANTS: dict[str, Variant] = {
    **v1.VARIANTS,
    **v2.VARIANTS,
    **v2_cr.VARIANTS,
    **mlp.VARIANTS,
    **moe.VARIANTS,
    **video.VARIANTS,
}

"""Builder of a backbone from the numbers of a variant, with its published initialisation."""

from collections.abc import Callable

from ..core.backbone import Swin
from ..core.init import initialise
from ..core.spec import Spec
from .config import family_of
from .mlp import swin_mlp
from .moe import swin_moe
from .v1 import swin
from .v2 import swin_v2
from .v2_cr import swin_v2_cr

BUILDERS: dict[str, Callable[..., Swin]] = {
    "v1": swin,
    "v2": swin_v2,
    "v2-cr": swin_v2_cr,
    "mlp": swin_mlp,
    "moe": swin_moe,
    "video": swin,
}


def build(spec: Spec) -> Swin:
    """Return a new backbone of the family that `spec` is for, initialised as published.

    On the meta device nothing is allocated or drawn; after `model.to_empty(device=...)`,
    `core.init.initialise` or loading weights completes it (there are no buffers that could be left unfilled).
    """
    backbone = BUILDERS[family_of(spec)](spec)
    if not backbone.embed.proj.weight.is_meta:
        initialise(backbone)
    return backbone

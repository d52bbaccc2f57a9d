"""Swin-MLP (Microsoft's repository, model hub): V1 whose windows mix their tokens by learned weights."""

from ..core.backbone import Swin, assemble
from ..core.block import MLP, PreNormBlock
from ..core.borders import MIXING_BORDERS
from ..core.mixing import WindowMixing
from ..core.patches import NormThenReduce
from ..core.spec import Place
from .families import SpecMLP


def swin_mlp(spec: SpecMLP) -> Swin:
    """Pre-norm blocks that mix tokens without attention."""

    def block(place: Place) -> PreNormBlock:
        mixing = WindowMixing(place, MIXING_BORDERS[spec.border])
        return PreNormBlock(place.dim, mixing, MLP(place.dim, place.hidden, spec.dropout), place.drop_path)

    return assemble(spec, block, NormThenReduce)

"""Swin-MLP (Microsoft's repository, model hub): V1 that mixes tokens by learned weights, not by attention."""

from ..core.backbone import Swin, assemble
from ..core.block import MLP, PreNormBlock
from ..core.borders import MIXING_BORDERS
from ..core.mixing import WindowMixing
from ..core.patches import NormThenReduce
from ..core.spec import BlockSpec
from .families import SpecMLP


def swin_mlp(spec: SpecMLP) -> Swin:
    """Build a Swin-MLP: pre-norm blocks that mix tokens without attention."""

    def make_block(block: BlockSpec) -> PreNormBlock:
        mixing = WindowMixing(block, MIXING_BORDERS[spec.border])
        return PreNormBlock(block.dim, mixing, MLP(block.dim, block.hidden, spec.dropout), block.drop_path)

    return assemble(spec, make_block, NormThenReduce)

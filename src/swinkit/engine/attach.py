"""A model that runs by the engines where they can: in native code on a CPU, with fused attention on a GPU."""

import copy
import logging
from collections.abc import Iterable
from typing import TypeVar, cast

from torch import nn

from ..core.backbone import Stage, Swin
from ..core.patches import NormThenReduce, PatchEmbed, ReduceThenNorm
from .cpu import fallback
from .cpu.blocks import NativeBlocks, blocks_of
from .cpu.reduction import NativeReduction
from .gpu import attach as fused

logger = logging.getLogger(__name__)

Model = TypeVar("Model", bound=nn.Module)


def attached(model: Model) -> Model:
    """A copy of `model` that shares its weights, and whose backbones use the engines."""
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    model = copy.deepcopy(model, dict(shared))
    for module in model.modules():
        if isinstance(module, Swin):
            attach(module)
    fused.attach(model)
    return model


def attach(backbone: Swin) -> None:
    """Give every part of `backbone` that native code knows its native forward."""
    for part in (backbone.embed, *(stage.merge for stage in stages(backbone))):
        if type(part) in (PatchEmbed, NormThenReduce, ReduceThenNorm):
            NativeReduction(cast("nn.Module", part)).attach()
        elif part is not None:
            logger.info("a %s runs without the engine: it is unknown to it", type(part).__name__)
    for stage in stages(backbone):
        blocks = blocks_of(stage)
        refused = [reason for block in blocks if (reason := fallback.of_block(block))]
        if type(stage) is Stage and not refused:
            NativeBlocks(stage).attach()
            continue
        if type(stage) is not Stage:
            logger.info("a %s runs block by block: it is unknown to the engine", type(stage).__name__)
        if refused:
            told = "%d of %d blocks of a stage run without the engine: %s"
            logger.info(told, len(refused), len(blocks), refused[0])
        for block in blocks:
            if fallback.of_block(block) is None:
                NativeBlocks(block).attach()


def stages(backbone: Swin) -> Iterable[Stage]:
    """Finest first."""
    return cast("Iterable[Stage]", backbone.stages)

"""Attachment of the engines to a model: native code on a CPU, fused attention on a GPU."""

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


def copy_with_engines(model: Model) -> Model:
    """Return a copy of `model` that shares its weights and whose backbones run on the engines."""
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    model = copy.deepcopy(model, dict(shared))
    for module in model.modules():
        if isinstance(module, Swin):
            attach_native(module)
    fused.attach_kernels(model)
    return model


def attach_native(backbone: Swin) -> None:
    """Set the native forward of every part of `backbone` that native code can run."""
    for part in (backbone.embed, *(stage.merge for stage in stages_of(backbone))):
        if type(part) in (PatchEmbed, NormThenReduce, ReduceThenNorm):
            NativeReduction(cast("nn.Module", part)).attach()
        elif part is not None:
            logger.info("a %s runs without the engine: it is unknown to it", type(part).__name__)
    for stage in stages_of(backbone):
        blocks = blocks_of(stage)
        refused = [reason for block in blocks if (reason := fallback.check_block(block))]
        if type(stage) is Stage and not refused:
            NativeBlocks(stage).attach()
            continue
        if type(stage) is not Stage:
            logger.info("a %s runs block by block: it is unknown to the engine", type(stage).__name__)
        if refused:
            logger.info(
                "%d of %d blocks of a stage run without the engine: %s", len(refused), len(blocks), refused[0]
            )
        for block in blocks:
            if fallback.check_block(block) is None:
                NativeBlocks(block).attach()


def stages_of(backbone: Swin) -> Iterable[Stage]:
    """Return the stages of `backbone`, finest first."""
    return cast("Iterable[Stage]", backbone.stages)

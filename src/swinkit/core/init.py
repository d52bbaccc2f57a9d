"""The published initialisations, applied once a model is built (or materialised from the meta device)."""

import math

import torch
from torch import Tensor, nn

from .attention import KeylessBiasLinear, ScaledCosine
from .block import PostNormBlock
from .position import AbsolutePosition, LearnedBias


def truncated_normal(tensor: Tensor, std: float = 0.02) -> None:
    """Fill from N(0, std), cut at +-2 (absolute, as timm's and the official code's helper has it)."""
    nn.init.trunc_normal_(tensor, std=std, a=-2.0, b=2.0)


@torch.no_grad()
def initialise(model: nn.Module) -> None:
    """Linear layers, bias tables and absolute embeddings: N(0, 0.02); biases 0; norms 1 and 0.

    Patch convolutions keep torch's default. In V2 every norm of a block starts at 0, weight and bias, so
    that a new block is the identity (official `_init_respostnorm`).
    """
    for module in model.modules():
        if isinstance(module, nn.Linear):
            truncated_normal(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, KeylessBiasLinear):
            truncated_normal(module.weight)
            nn.init.zeros_(module.q_bias)
            nn.init.zeros_(module.v_bias)
        elif isinstance(module, ScaledCosine):
            nn.init.constant_(module.log_scale, math.log(10))
        elif isinstance(module, LearnedBias):
            truncated_normal(module.table)
        elif isinstance(module, AbsolutePosition):
            truncated_normal(module.embedding)
        elif isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.LayerNorm):
            module.reset_parameters()
    for module in model.modules():
        if isinstance(module, PostNormBlock):
            for norm in (module.norm1, module.norm2):
                nn.init.zeros_(norm.weight)
                nn.init.zeros_(norm.bias)

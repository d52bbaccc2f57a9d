"""The published initialisations, applied once a model is built (or materialised from the meta device)."""

import math

import torch
from torch import Tensor, nn

from .absolute_position import AbsolutePosition
from .attention import ScaledCosine
from .backbone import Swin
from .block import PostNormBlock
from .mixing import WindowMixing
from .moe.experts import ExpertMLPs
from .moe.routers import CosineRouter
from .position import LearnedBias
from .qkv import KeylessBiasLinear


def truncated_normal(tensor: Tensor, std: float = 0.02) -> None:
    """Fill from N(0, std), cut at -2 and 2, absolute values as in timm's and the official code."""
    nn.init.trunc_normal_(tensor, std=std, a=-2.0, b=2.0)


@torch.no_grad()
def initialise(model: Swin) -> None:
    """Fill linear layers, bias tables and embeddings from N(0, 0.02), biases with 0, norms with 1 and 0.

    The standard deviation of linear layers is `spec.initial_std`; None keeps torch's default. Patch
    convolutions keep torch's default. In V2 the norms of a block's branches start at 0, weight and bias, so
    that a new block is the identity (official `_init_respostnorm`).
    """
    for module in model.modules():
        if isinstance(module, nn.Linear):
            initialise_linear(module, model.spec.initial_std)
        elif isinstance(module, KeylessBiasLinear):
            truncated_normal(module.weight)
            nn.init.zeros_(module.q_bias)
            nn.init.zeros_(module.v_bias)
        elif isinstance(module, ScaledCosine):
            nn.init.constant_(module.log_scale, math.log(10))
        elif isinstance(module, LearnedBias):
            truncated_normal(module.table)
        elif isinstance(module, WindowMixing):
            truncated_normal(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, ExpertMLPs):
            initialise_experts(module, model.spec.initial_std)
        elif isinstance(module, CosineRouter):
            truncated_normal(module.keys, 0.01)
            nn.init.constant_(module.log_scale, math.log(2))
        elif isinstance(module, AbsolutePosition):
            truncated_normal(module.embedding)
        elif isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.LayerNorm):
            module.reset_parameters()
    for module in model.modules():
        if isinstance(module, PostNormBlock):
            for norm in (module.norm1, module.norm2):
                nn.init.zeros_(norm.weight)
                nn.init.zeros_(norm.bias)


def initialise_linear(layer: nn.Linear, std: float | None) -> None:
    """Fill the weight from N(0, std) and the bias with 0; None keeps torch's default."""
    if std is None:
        layer.reset_parameters()
        return
    truncated_normal(layer.weight, std)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def initialise_experts(experts: ExpertMLPs, std: float | None) -> None:
    """Fill the weights of all experts as those of linear layers; None takes a deviation of 0.02."""
    for weight in (experts.fc1, experts.fc2):
        truncated_normal(weight, std or 0.02)
    for bias in (experts.fc1_bias, experts.fc2_bias):
        if bias is not None:
            nn.init.zeros_(bias)

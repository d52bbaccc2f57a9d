"""The published initialisations, applied once a model is built (or materialised from the meta device)."""

import math

import torch
from torch import nn

from .absolute_position import AbsolutePosition
from .attention import ScaledCosine
from .backbone import Swin
from .block import PostNormBlock
from .mixing import WindowMixing
from .moe.experts import ExpertMLPs
from .moe.routers import CosineRouter
from .position import LearnedBias
from .qkv import KeylessBiasLinear

STD = 0.02  # of the official code; timm and it cut at the absolute values -2 and 2, as torch does


@torch.no_grad()
def initialise(model: Swin) -> None:
    """Fill linear layers, bias tables and embeddings from N(0, 0.02), biases with 0, norms with 1 and 0.

    The standard deviation of linear layers is `spec.initial_std`; None keeps torch's default. Patch
    convolutions keep torch's default. In V2 the norms of a block's branches start at 0, weight and bias, so
    that a new block is the identity (official `_init_respostnorm`).
    """
    for module in model.modules():
        if isinstance(module, KeylessBiasLinear):
            nn.init.trunc_normal_(module.weight, std=STD)
            nn.init.zeros_(module.q_bias)
            nn.init.zeros_(module.v_bias)
        elif isinstance(module, nn.Linear):
            initialise_linear(module, model.spec.initial_std)
        elif isinstance(module, ScaledCosine):
            nn.init.constant_(module.log_scale, math.log(10))
        elif isinstance(module, LearnedBias):
            nn.init.trunc_normal_(module.table, std=STD)
        elif isinstance(module, WindowMixing):
            nn.init.trunc_normal_(module.weight, std=STD)
            nn.init.zeros_(module.bias)
        elif isinstance(module, ExpertMLPs):
            initialise_experts(module, model.spec.initial_std)
        elif isinstance(module, CosineRouter):
            nn.init.trunc_normal_(module.keys, std=0.01)
            nn.init.constant_(module.log_scale, math.log(2))
        elif isinstance(module, AbsolutePosition):
            nn.init.trunc_normal_(module.embedding, std=STD)
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
    nn.init.trunc_normal_(layer.weight, std=std)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def initialise_experts(experts: ExpertMLPs, std: float | None) -> None:
    """Fill the weights of all experts as those of linear layers; None takes a deviation of 0.02."""
    for weight in (experts.fc1, experts.fc2):
        nn.init.trunc_normal_(weight, std=std or STD)
    for bias in (experts.fc1_bias, experts.fc2_bias):
        if bias is not None:
            nn.init.zeros_(bias)

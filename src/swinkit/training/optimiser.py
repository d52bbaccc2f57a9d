"""AdamW with the papers' weight decay: matrices decay; biases, norms and whatever tells positions or temperatures do not."""

import torch
from torch import nn

from ..core.attention import ScaledCosine
from ..core.position import AbsolutePosition, RelativeBias
from .recipe import Optimiser

UNDECAYED = (RelativeBias, AbsolutePosition, ScaledCosine)


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict]:
    """Two groups, told apart by type and place of the module, not by name."""
    exempt = {id(p) for module in model.modules() if isinstance(module, UNDECAYED) for p in module.parameters()}
    decayed, free = [], []
    for parameter in model.parameters():
        (free if id(parameter) in exempt or parameter.ndim <= 1 else decayed).append(parameter)
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": free, "weight_decay": 0.0}]


def adamw(model: nn.Module, settings: Optimiser) -> torch.optim.AdamW:
    """The recipe's optimiser over all parameters."""
    groups = parameter_groups(model, settings.weight_decay)
    return torch.optim.AdamW(groups, lr=settings.lr, betas=settings.betas, fused=True)

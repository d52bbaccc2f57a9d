"""AdamW with the papers' weight decay.

Matrices decay; biases, norms and whatever tells positions or temperatures do not.
"""

import torch
from torch import nn

from ..core.attention import ScaledCosine
from ..core.position import AbsolutePosition, RelativeBias
from ..core.routers import CosineRouter
from .recipe import Optimiser

UNDECAYED = (RelativeBias, AbsolutePosition, ScaledCosine, CosineRouter)


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict]:
    """Two groups, told apart by type and place of the module.

    A bias is told by its own name, for those of experts and of Swin-MLP's heads are matrices too.
    """
    exempt_modules = [module for module in model.modules() if isinstance(module, UNDECAYED)]
    exempt = {id(parameter) for module in exempt_modules for parameter in module.parameters()}
    decayed, free = [], []
    for name, parameter in model.named_parameters():
        alone = id(parameter) in exempt or parameter.ndim <= 1 or name.endswith("bias")
        (free if alone else decayed).append(parameter)
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": free, "weight_decay": 0.0}]


def adamw(model: nn.Module, settings: Optimiser) -> torch.optim.AdamW:
    """The recipe's optimiser over all parameters."""
    groups = parameter_groups(model, settings.weight_decay)
    return torch.optim.AdamW(groups, lr=settings.lr, betas=settings.betas, fused=True)

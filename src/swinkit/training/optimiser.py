"""The optimiser over groups of parameters: which of them decay, and at what rate each learns.

Each published code decides in its own way, by the names that its parameters have, and some decide otherwise
than their authors wrote. Each way is a rule here, over the roles of our modules (`training/roles.py`).
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ..settings.optimiser import Optimiser, Rule
from .muon import MATRICES, Muon
from .roles import Role, Standing, standings


@dataclass(frozen=True)
class Policy:
    """Which roles decay; the depth of absolute positions under layer-wise rates; the backbone's scale."""

    decays: tuple[Role, ...]
    positions_last: bool = False
    backbone_scale: float = 1.0  # of the rate; tables and positions learn at the whole


RULES: dict[Rule, Policy] = {
    # The papers: matrices decay. Biases, norms, temperatures and whatever tells positions do not.
    "paper": Policy(("matrix",)),
    # Microsoft's fine-tuning: absolute positions learn at the rate of the head, not of the patches.
    "microsoft": Policy(("matrix",), positions_last=True),
    # Microsoft's SimMIM looks for `encoder.relative_position_bias_table` and the like, and finds none.
    "simmim-pretrain": Policy(("matrix", "table", "bias MLP", "temperature", "router")),
    # The forks of mmdetection and mmsegmentation name three exceptions only; biases are none of them.
    "openmmlab": Policy(("matrix", "vector", "bias MLP", "temperature", "router")),
    # Of Video Swin's exceptions mmcv applies one to a parameter, that of the longest name: `backbone`, which
    # slows, hides `norm`, which exempts; but not those of tables and positions, which are not slowed then.
    "video": Policy(("matrix", "vector", "norm", "bias MLP", "temperature", "router"), backbone_scale=0.1),
}


def parameter_groups(model: nn.Module, settings: Optimiser) -> list[dict[str, Any]]:
    """The trained parameters in groups of one `weight_decay` and one `lr`, which is the schedule's peak.

    For Muon each tells by `matrices` whether it is of these.
    """
    policy, found = RULES[settings.rule], standings(model)
    last = max((standing.depth for standing in found.values()), default=0)
    groups: dict[tuple[bool, float, int | None, bool], dict[str, Any]] = {}
    for parameter, standing in found.items():
        if not parameter.requires_grad:
            continue
        decays, scale, depth = standing.role in policy.decays, scale_of(standing, policy), None
        if settings.layer_decay is not None:
            depth = last if policy.positions_last and standing.role == "position" else standing.depth
            scale *= settings.layer_decay ** (last - depth)
        weight_decay = settings.weight_decay if decays else 0.0
        empty = {"params": [], "lr": settings.lr * scale, "weight_decay": weight_decay}
        turned = settings.kind == "muon" and standing.between
        if settings.kind == "muon":
            empty[MATRICES] = turned
        groups.setdefault((decays, scale, depth, turned), empty)["params"].append(parameter)
    return list(groups.values())


def scale_of(standing: Standing, policy: Policy) -> float:
    """Of the rate, but for a parameter's depth."""
    slowed = standing.in_backbone and standing.role not in ("table", "position")
    return policy.backbone_scale if slowed else 1.0


def optimiser_of(model: nn.Module, settings: Optimiser) -> torch.optim.AdamW:
    """The recipe's, over all parameters."""
    groups = parameter_groups(model, settings)
    if settings.kind == "muon":  # not fused: that would take a loss's scale into its own hands
        return Muon(groups, lr=settings.lr, betas=settings.betas, eps=settings.eps)
    return torch.optim.AdamW(groups, lr=settings.lr, betas=settings.betas, eps=settings.eps, fused=True)

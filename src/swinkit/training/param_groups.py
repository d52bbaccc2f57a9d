"""Parameter groups: which parameters decay, and at what rate each learns.

Each published code decides in its own way, by the names that its parameters have, and some decide otherwise
than their authors wrote. Each way is a rule here, over roles, which modules declare themselves by attributes:

* `parameter_roles`, {name: role}: the roles of own parameters that their shape does not show
* `matrix_role`: the role of all matrices inside
* `backbone_parts`, `output_parts`: the names of children that count as parts of the backbone, or as the
  output layer, like the module that timm's `get_classifier()` returns
* `layers()`: of a backbone, the modules of each depth, from the input on
* `input_parameters`: the names of own parameters at the depth of the input

and by timm's `no_weight_decay()`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
from torch import nn

from ..settings.optimiser import Optimiser, Rule
from .muon import MATRICES, Muon

Role = Literal["matrix", "vector", "norm", "table", "bias MLP", "temperature", "position", "router", "exempt"]


@dataclass(frozen=True)
class ParameterFacts:
    """The role and the depth of one parameter."""

    role: Role
    depth: int  # 0 with the patches, then the number of the block from 1, last the head
    in_backbone: bool
    between: bool  # whether it is a matrix from features to features: not from pixels, and not to the output


def facts_of_parameters(model: nn.Module) -> dict[nn.Parameter, ParameterFacts]:
    """Return role and depth of every parameter, in the order of the modules."""
    role, depth, backbone, last = roles(model), depths(model), backbone_parameters(model), set(outputs(model))

    def between(parameter: nn.Parameter) -> bool:
        return role[parameter] == "matrix" and parameter.ndim == 2 and parameter not in last

    return {
        parameter: ParameterFacts(
            role[parameter], depth[parameter], parameter in backbone, between(parameter)
        )
        for parameter in model.parameters()
    }


def roles(model: nn.Module) -> dict[nn.Parameter, Role]:
    """Return the role of every parameter: by default, a vector has at most one axis, and a matrix more."""
    found: dict[nn.Parameter, Role] = {
        parameter: "vector" if parameter.ndim <= 1 else "matrix" for parameter in model.parameters()
    }
    for module in model.modules():
        inside = cast("Role | None", getattr(module, "matrix_role", None))
        for parameter in module.parameters():
            if isinstance(module, nn.LayerNorm):
                found[parameter] = "norm"
            elif inside is not None and found[parameter] == "matrix":
                found[parameter] = inside
    for module in model.modules():
        own = cast("Mapping[str, Role]", getattr(module, "parameter_roles", {}))
        for name, parameter in module.named_parameters(recurse=False):
            found[parameter] = own.get(name, found[parameter])
        found.update(dict.fromkeys(excluded_from_decay(module), "exempt"))
    return found


def excluded_from_decay(module: nn.Module) -> list[nn.Parameter]:
    """Return the parameters that a model of timm excludes from weight decay."""
    excluded = cast("Callable[[], set[str]] | None", getattr(module, "no_weight_decay", None))
    names = excluded() if excluded is not None else set()
    return [parameter for name, parameter in module.named_parameters() if name in names]


def depths(model: nn.Module) -> dict[nn.Parameter, int]:
    """Return the depth of every parameter; those outside the backbone come after the last block."""
    found: dict[nn.Parameter, int] = {}
    depth, modules = 0, list(model.modules())
    for backbone in filter(is_backbone, modules):
        layers: Iterable[list[nn.Module]] = cast("Any", backbone).layers()
        for number, layer in enumerate(layers):
            depth += number > 0
            for module in layer:
                found.update(dict.fromkeys(module.parameters(), depth if number else 0))
    for module in modules:
        for name in getattr(module, "input_parameters", ()):
            found[module.get_parameter(name)] = 0
    return dict.fromkeys(model.parameters(), depth + 1) | found


def is_backbone(module: nn.Module) -> bool:
    """Return whether a module has a method that divides its parameters into layers."""
    return callable(getattr(type(module), "layers", None))  # `layers` of timm's models is a module


def backbone_parameters(model: nn.Module) -> set[nn.Parameter]:
    """Return the parameters of the backbone, and of the norms behind it, which elsewhere are parts of it."""
    backbones = (
        parameter for each in model.modules() if is_backbone(each) for parameter in each.parameters()
    )
    return {*backbones, *parts(model, "backbone_parts")}


def outputs(model: nn.Module) -> Iterator[nn.Parameter]:
    """Yield the parameters of the output layers."""
    yield from parts(model, "output_parts")
    for module in model.modules():
        classifier = cast("Callable[[], nn.Module] | None", getattr(module, "get_classifier", None))
        if classifier is not None:
            yield from classifier().parameters()


def parts(model: nn.Module, attribute: str) -> Iterator[nn.Parameter]:
    """Yield the parameters of all children that modules name in an attribute."""
    for module in model.modules():
        for name in getattr(module, attribute, ()):
            yield from module.get_submodule(name).parameters()


@dataclass(frozen=True)
class Policy:
    """The roles that decay, the depth of absolute positions under layer-wise rates, the backbone's rate."""

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
    """Return the trained parameters in groups of one `weight_decay` and one `lr`, the schedule's peak.

    For Muon, the entry `matrices` of a group is whether it is of these.
    """
    policy, found = RULES[settings.rule], facts_of_parameters(model)
    last = max((facts.depth for facts in found.values()), default=0)
    groups: dict[tuple[bool, float, int | None, bool], dict[str, Any]] = {}
    for parameter, facts in found.items():
        if not parameter.requires_grad:
            continue
        decays, scale, depth = facts.role in policy.decays, scale_of(facts, policy), None
        if settings.layer_decay is not None:
            depth = last if policy.positions_last and facts.role == "position" else facts.depth
            scale *= settings.layer_decay ** (last - depth)
        weight_decay = settings.weight_decay if decays else 0.0
        empty = {"params": [], "lr": settings.lr * scale, "weight_decay": weight_decay}
        turned = settings.kind == "muon" and facts.between
        if settings.kind == "muon":
            empty[MATRICES] = turned
        groups.setdefault((decays, scale, depth, turned), empty)["params"].append(parameter)
    return list(groups.values())


def scale_of(facts: ParameterFacts, policy: Policy) -> float:
    """Return the factor of a parameter's learning rate, before layer-wise decay."""
    slowed = facts.in_backbone and facts.role not in ("table", "position")
    return policy.backbone_scale if slowed else 1.0


def optimiser_of(model: nn.Module, settings: Optimiser) -> torch.optim.AdamW:
    """Return the optimiser of a recipe, over all parameters that are not frozen."""
    groups = parameter_groups(model, settings)
    if settings.kind == "muon":  # not fused: that would take a loss's scale into its own hands
        return Muon(groups, lr=settings.lr, betas=settings.betas, eps=settings.eps)
    return torch.optim.AdamW(groups, lr=settings.lr, betas=settings.betas, eps=settings.eps, fused=True)

"""What each parameter of a model is and where it stands: by the types and places of modules, not by names."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, cast

from torch import nn

from ..core.absolute_position import AbsolutePosition
from ..core.backbone import Stage, Swin
from ..core.mixing import WindowMixing
from ..core.moe.experts import ExpertMLPs
from ..core.moe.routers import CosineRouter
from ..core.position import LearnedBias, RelativeBias
from ..core.similarity import ScaledCosine
from ..heads.classify import ClassificationHead
from ..heads.pyramid import Pyramid
from ..heads.reconstruct import ReconstructionHead
from ..tasks.simmim.model import SimMIM

Role = Literal["matrix", "vector", "norm", "table", "bias MLP", "temperature", "position", "router", "exempt"]

OWN: dict[tuple[type[nn.Module], str], Role] = {  # parameters that their shape does not tell apart
    (AbsolutePosition, "embedding"): "position",
    (LearnedBias, "table"): "table",
    (ScaledCosine, "log_scale"): "temperature",
    (ExpertMLPs, "fc1_bias"): "vector",  # one for each expert
    (ExpertMLPs, "fc2_bias"): "vector",
    (WindowMixing, "bias"): "vector",  # one for each head
}
MATRICES: dict[type[nn.Module], Role] = {RelativeBias: "bias MLP", CosineRouter: "router"}


@dataclass(frozen=True)
class Standing:
    """One parameter."""

    role: Role
    depth: int  # 0 with the patches, then the number of the block from 1, last the head
    in_backbone: bool
    between: bool  # whether it is a matrix that takes features to features: not pixels, and not to classes


def standings(model: nn.Module) -> dict[nn.Parameter, Standing]:
    """Of every parameter, in the order of the modules."""
    role, depth, backbone, last = roles(model), depths(model), of_backbone(model), of_answers(model)

    def between(parameter: nn.Parameter) -> bool:
        return role[parameter] == "matrix" and parameter.ndim == 2 and parameter not in last

    return {
        parameter: Standing(role[parameter], depth[parameter], parameter in backbone, between(parameter))
        for parameter in model.parameters()
    }


def roles(model: nn.Module) -> dict[nn.Parameter, Role]:
    """A vector is a bias, or whatever else has one axis; a matrix is all that has no other role."""
    found: dict[nn.Parameter, Role] = {
        parameter: "vector" if parameter.ndim <= 1 else "matrix" for parameter in model.parameters()
    }
    for module in model.modules():
        inside: Role | None = next(
            (role for kind, role in MATRICES.items() if isinstance(module, kind)), None
        )
        for parameter in module.parameters():
            if isinstance(module, nn.LayerNorm):
                found[parameter] = "norm"
            elif inside is not None and found[parameter] == "matrix":
                found[parameter] = inside
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            for (kind, own), role in OWN.items():
                if isinstance(module, kind) and name == own:
                    found[parameter] = role
        found.update(dict.fromkeys(exempted(module), "exempt"))
    return found


def exempted(module: nn.Module) -> list[nn.Parameter]:
    """Those that a model of timm says should not decay; ours say nothing."""
    told = cast("Callable[[], set[str]] | None", getattr(module, "no_weight_decay", None))
    names = told() if told is not None else set()
    return [parameter for name, parameter in module.named_parameters() if name in names]


def depths(model: nn.Module) -> dict[nn.Parameter, int]:
    """A merge stands with the block before it; positions and the mask token with the patches."""
    modules = list(model.modules())
    found: dict[nn.Parameter, int] = {}
    depth = 0
    for backbone in (module for module in modules if isinstance(module, Swin)):
        for first in (backbone.embed, backbone.position):
            found.update(dict.fromkeys(first.parameters(), 0))
        for stage in cast("Iterable[Stage]", backbone.stages):
            for block in stage.blocks:
                depth += 1
                found.update(dict.fromkeys(block.parameters(), depth))
            if stage.merge is not None:
                found.update(dict.fromkeys(stage.merge.parameters(), depth))
    found.update({module.mask_token: 0 for module in modules if isinstance(module, SimMIM)})
    return dict.fromkeys(model.parameters(), depth + 1) | found


def of_backbone(model: nn.Module) -> set[nn.Parameter]:
    """Those of the Swin, and of the norms behind it, which elsewhere are parts of it."""
    found: set[nn.Parameter] = set()
    for module in model.modules():
        if isinstance(module, Swin):
            found.update(module.parameters())
        if isinstance(module, ClassificationHead | ReconstructionHead):
            found.update(module.norm.parameters())
        if isinstance(module, Pyramid):
            found.update(module.norms.parameters())
    return found


def of_answers(model: nn.Module) -> set[nn.Parameter]:
    """Those of the classifier, or, of a model of timm, of what it says is its classifier."""
    found: set[nn.Parameter] = set()
    for module in model.modules():
        theirs = cast("Callable[[], nn.Module] | None", getattr(module, "get_classifier", None))
        if theirs is not None:
            found.update(theirs().parameters())
        if isinstance(module, ClassificationHead):
            found.update(module.classifier.parameters())
    return found

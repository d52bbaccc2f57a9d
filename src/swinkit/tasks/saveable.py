"""Refusal to save a model that `load` could not rebuild, because its layers were replaced or wrapped."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from ..errors import UsageError, listed
from ..files.contents import State
from ..files.plain import is_alike

# By a part of the names of tensors: what removes the layers of a tool. The first that occurs is told.
REMEDIES = {
    "_packed_params": "save the model before it is quantised",
    "_orig_mod": "compile in place instead, by part.compile()",
    "lora_": "merge the adapters first, in peft by merge_and_unload()",
    "parametrizations": "remove the parametrisations first, by torch.nn.utils.parametrize",
    "weight_mask": "make the pruning permanent first, by torch.nn.utils.prune.remove",
    "weight_g": "remove the weight norm first, by torch.nn.utils.remove_weight_norm",
    "weight_u": "remove the spectral norm first, by torch.nn.utils.remove_spectral_norm",
}
CLASSIFIER = "head.classifier"
ONE_LINEAR = (
    f"let {CLASSIFIER} be one nn.Linear with a bias, and name its rows by model.labels = [...] (a dropout is "
    "head.dropout); or keep what was trained by torch.save(model.state_dict(), FILE), of which "
    "swinkit.load(FILE, head='none') reads the backbone"
)
OTHERWISE = "put the layers back that it was built with, or save model.state_dict() with torch.save"


def require_plain_tensors(state: Mapping[str, Any]) -> None:
    """Refuse the weights of a model unless all are tensors with values.

    Raises:
        UsageError: some are packed by a quantisation, or are on the meta device.
    """
    packed = [name for name, value in state.items() if not is_plain(value)]
    if packed:
        quantised = f"{len(packed)} of its weights are no plain tensors: {listed(packed)}"
        raise UsageError(f"the model cannot be saved: {quantised}; {REMEDIES['_packed_params']}")
    absent = [name for name, value in state.items() if value.is_meta]
    if absent:
        told = f"{len(absent)} of its weights have no values (they are on the meta device): {listed(absent)}"
        raise UsageError(f"the model cannot be saved: {told}; load them first")


def is_plain(value: object) -> bool:
    """Return whether a value of a `state_dict` is a tensor whose numbers lie in memory one by one."""
    return isinstance(value, Tensor) and type(value.detach()) is Tensor


def require_rebuildable(rebuilt: nn.Module, state: State) -> None:
    """Refuse to save `state` unless `rebuilt`, the model that its configuration describes, has these tensors.

    Raises:
        UsageError: names or shapes differ; with the way to a model that can be saved.
    """
    wanted = rebuilt.state_dict()
    unknown = [name for name in state if name not in wanted]
    missing = [name for name in wanted if name not in state]
    other = [name for name in state if name in wanted and not is_alike(state[name], wanted[name])]
    if not (unknown or missing or other):
        return
    kinds = (("unknown", unknown), ("missing", missing), ("of another shape or kind", other))
    told = ", ".join(f"{len(names)} {kind} ({listed(names, 1)})" for kind, names in kinds if names)
    changed = [*unknown, *missing, *other]
    otherwise = ONE_LINEAR if all(name.startswith(CLASSIFIER) for name in changed) else OTHERWISE
    remedy = next((way for part, way in REMEDIES.items() if any(part in name for name in changed)), otherwise)
    kind = type(rebuilt).__name__
    raise UsageError(f"the model cannot be saved: its tensors are not those of a {kind}: {told}; {remedy}")

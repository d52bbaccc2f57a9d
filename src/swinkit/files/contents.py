"""Contents of a file of weights: its tensors, and the wrappers around them.

Training runs save weights inside dictionaries of other things; these wrappers are opened by name, or because
they alone hold tensors. Where a run kept raw and averaged weights, the raw ones are taken unless the caller
asks for others. What stands between the tensors and is none is set aside.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import DataError, UsageError, listed

# Of several, the first is opened: raw weights come before averaged ones, a student before its teacher.
WRAPPERS = ("state_dict", "model", "module", "model_state_dict", "net", "network", "student")
AVERAGED = ("model_ema", "state_dict_ema", "ema_state_dict", "ema", "model_ema_state_dict", "teacher")
DEEPEST = 6  # wrappers in each other; published files have two
LONGEST = 512  # characters of a name; published names have 110
MOST = 20_000  # tensors; the largest published files of detectors have 2,000
SLACK = 4  # tensors may share memory, but not so often that they claim more than this many times the file


State = dict[str, Tensor]  # tensors by name, the content of every file of weights


@dataclass(frozen=True)
class Contents:
    """Tensors of a file. `wrappers` were opened in this order; `ignored` are the entries beside them.

    Of those, `architecture` is the model's name as timm's training script writes it, and `configuration` the
    text of OpenMMLab's; "" without one.
    """

    state: State
    wrappers: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    architecture: str = ""
    configuration: str = ""


def unwrap(loaded: Any, path: Path, entry: str | None = None) -> Contents:
    """Open wrappers until tensors appear.

    `entry` names the one to open where several are possible, or what the names of the tensors to read begin
    with, such as "ema_model" for `ema_model.head.weight`.

    Raises:
        DataError: there are no plain tensors by name inside.
        UsageError: there is no dictionary of the name `entry`, or one of several must be named.
    """
    wrappers: list[str] = []
    ignored: list[str] = []
    wanted = entry
    texts = description(loaded)
    while isinstance(loaded, Mapping):
        loaded = copy_entries(loaded)
        known = (name for name in (wanted, *WRAPPERS, *AVERAGED) if is_wrapper(loaded, name))
        inner = next(known, None) or wrapper_of_tensors(loaded, path)
        if inner is None:
            break
        if len(wrappers) == DEEPEST:
            raise DataError(
                f"{path} holds dictionaries in dictionaries without an end; save the tensors alone"
            )
        wanted = None if inner == wanted else wanted
        wrappers.append(inner)
        ignored += [str(name)[:LONGEST] for name in loaded if name != inner]
        loaded = loaded[inner]
    if not isinstance(loaded, dict):
        raise DataError(f"{path} holds a {type(loaded).__name__}, not a dictionary of tensors by name")
    state = require_tensors(loaded, path)
    ignored += [str(name)[:LONGEST] for name in loaded if name not in state]
    if wanted is not None:
        state, others = tensors_under(wanted, state, ignored, path)
        ignored += others
    return Contents(plain_tensors(state, path), tuple(wrappers), tuple(ignored), *texts)


def description(loaded: Any) -> tuple[str, str]:
    """Return the name of the architecture and the text of the configuration that stand beside the weights."""
    entries = copy_entries(loaded) if isinstance(loaded, Mapping) else {}
    meta = copy_entries(entries["meta"]) if is_wrapper(entries, "meta") else {}
    found = entries.get("arch"), meta.get("cfg", meta.get("config"))
    arch, configuration = (text if isinstance(text, str) else "" for text in found)
    return arch, configuration


def tensors_under(entry: str, state: State, ignored: list[str], path: Path) -> tuple[State, list[str]]:
    """Return the tensors whose names begin with `entry`, and the names of the others.

    Raises:
        UsageError: there are none.
    """
    chosen = {name: tensor for name, tensor in state.items() if name.startswith(f"{entry}.")}
    if not chosen:
        raise UsageError(
            f"{path} holds no dictionary {entry!r} to open, and no tensors whose names begin so; there are "
            f"{listed(ignored) or 'none'}"
        )
    return chosen, [name for name in state if name not in chosen]


def wrapper_of_tensors(loaded: dict[Any, Any], path: Path) -> str | None:
    """Return the name of the dictionary that alone holds more tensors than `loaded` has itself, or None.

    Raises:
        UsageError: there are several.
    """
    least = len(named_tensors(loaded))
    found = [
        name
        for name, value in loaded.items()
        if isinstance(name, str) and isinstance(value, Mapping) and len(named_tensors(value)) > least
    ]
    if len(found) > 1:
        raise UsageError(
            f"{path} holds tensors in {listed(found)}; choose one: entry={found[0]!r}, or --entry {found[0]}"
        )
    return found[0] if found else None


def is_wrapper(loaded: dict[Any, Any], name: str | None) -> bool:
    """Return whether the entry `name` is a dictionary."""
    return name is not None and isinstance(loaded.get(name), Mapping)


def copy_entries(loaded: Any) -> dict[Any, Any]:
    """Return a plain dictionary of the entries of `loaded`, whose own attributes a file can have replaced."""
    return dict(dict.items(loaded)) if isinstance(loaded, dict) else dict(loaded)


def named_tensors(loaded: Any) -> State:
    """Return the entries of `loaded` that are tensors with at least one number under a text as their name."""
    return {
        name: value
        for name, value in copy_entries(loaded).items()
        if isinstance(name, str) and isinstance(value, Tensor) and Tensor.numel(value) > 0
    }


def require_tensors(loaded: dict[Any, Any], path: Path) -> State:
    """Return the tensors of `loaded` by name, without what stands between them.

    Raises:
        DataError: there are none; the message names what else there is.
    """
    state = named_tensors(loaded)
    if state:
        return state
    if {"state", "param_groups"} <= loaded.keys():
        raise DataError(f"{path} holds the state of an optimiser, no weights; give the file of the model")
    others = [
        str(name) if isinstance(name, str | int) else f"an entry under a {type(name).__name__}"
        for name in loaded
    ]
    found = f"among its entries, {listed(others)} are no tensors" if loaded else "its dictionary is empty"
    raise DataError(f"{path} holds no plain dictionary of tensors: {found}; save the tensors alone")


def plain_tensors(state: State, path: Path) -> State:
    """Return the tensors without any attributes that a file can attach to them.

    Raises:
        DataError: names or tensors that no model has, or tensors that are no plain arrays of numbers.
    """
    longest = max(map(len, state))
    if longest > LONGEST or len(state) > MOST:
        raise DataError(
            f"{path} holds {len(state)} tensors with names of up to {longest} characters: no Swin"
        )
    plain = {name: Tensor.detach(tensor) for name, tensor in state.items() if has_values(tensor)}
    if len(plain) < len(state):
        others = [name for name in state if name not in plain]
        raise DataError(
            f"{path}: {listed(others)} hold no plain numbers (sparse, quantised, empty, or without values); "
            "save dense tensors"
        )
    claimed = sum(tensor.numel() * tensor.element_size() for tensor in plain.values())
    if claimed > SLACK * path.stat().st_size:
        raise DataError(f"{path} claims {claimed} bytes of tensors, far more than it holds; it is damaged")
    return plain


def has_values(tensor: Tensor) -> bool:
    """Return whether it is a dense tensor of at least one number with its numbers in memory."""
    if type(tensor) not in (Tensor, torch.nn.Parameter):
        return False
    plain = Tensor.detach(tensor)  # a file can have replaced a tensor's own methods
    if plain.layout != torch.strided or plain.is_quantized or plain.device.type != "cpu":
        return False
    return plain.numel() > 0 and plain.untyped_storage().nbytes() > 0

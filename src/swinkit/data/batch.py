"""Batches of any task: dataclasses whose tensors move to a device together, nested ones too."""

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor


class Batch:
    """Base of the frozen dataclasses that are batches; the first field has one entry for each sample.

    A field is a tensor, or lists, tuples, dicts and dataclasses of tensors, or anything else, which stays.
    """

    def __len__(self) -> int:
        """Return the number of samples."""
        itself: Any = self
        return len(getattr(self, fields(itself)[0].name))

    def to(self, device: torch.device) -> Self:
        """Return the batch on `device`; copies from pinned memory to a GPU do not block."""
        return map_tensors(self, lambda value: value.to(device, non_blocking=value.is_pinned()))

    def pin_memory(self) -> Self:
        """Return the batch in pinned memory; `DataLoader` calls this in a thread where there is a GPU."""
        return map_tensors(self, pin)


def map_tensors(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Return `value` with `change` applied to every tensor in its lists, tuples, dicts and dataclasses."""

    def map_leaf(leaf: Any) -> Any:
        if isinstance(leaf, Tensor):
            return change(leaf)
        if is_instance_of_dataclass(leaf):
            names = [field.name for field in fields(leaf) if field.init]
            return replace(leaf, **{name: map_tensors(getattr(leaf, name), change) for name in names})
        return leaf

    return map_leaves(value, map_leaf)


def tensors_in(value: Any) -> Iterator[Tensor]:
    """Yield every tensor in the lists, tuples, dicts and dataclasses of `value`."""
    for leaf in leaves_of(value):
        if isinstance(leaf, Tensor):
            yield leaf
        elif is_instance_of_dataclass(leaf):
            yield from tensors_in([getattr(leaf, field.name) for field in fields(leaf)])


def map_leaves(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return `value` with `change` applied to all that its lists, tuples and dicts hold."""
    if isinstance(value, dict):
        return {key: map_leaves(item, change) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map_leaves(item, change) for item in value)
    if is_named_tuple(value):
        return type(value)(*(map_leaves(item, change) for item in value))
    return change(value)


def leaves_of(value: Any) -> Iterator[Any]:
    """Yield all that the lists, tuples and dicts of `value` hold."""
    items = value.values() if isinstance(value, dict) else value
    if isinstance(value, dict) or type(value) in (list, tuple) or is_named_tuple(value):
        for item in items:
            yield from leaves_of(item)
    else:
        yield value


def is_instance_of_dataclass(value: Any) -> bool:
    """Return whether `value` is an instance of a dataclass, not the class itself."""
    return is_dataclass(value) and not isinstance(value, type)


def is_named_tuple(value: Any) -> bool:
    """Return whether `value` is a named tuple; `torch.Size` and the like are leaves."""
    return isinstance(value, tuple) and hasattr(value, "_fields")


def pin(value: Tensor) -> Tensor:
    """Return `value` in pinned memory, of the same class: torch itself makes plain tensors of tv_tensors."""
    copy = value.pin_memory()
    if type(copy) is type(value):
        return copy
    from torchvision import tv_tensors  # loaded already, where there is such a tensor

    wrap: Any = tv_tensors.wrap  # its decorator hides the signature
    return wrap(copy, like=value)

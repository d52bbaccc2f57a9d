"""Recomputation of cheap activations in the backward pass, in place of saved ones.

The outputs of norms and activations are as large as their inputs and cheap to compute from them. Saved, they
are more than a third of the memory that training a Swin takes for its graph.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from .torch_internals import has_hooks, is_eager, saved_tensor_hooks, version_of


@dataclass(frozen=True)
class RecomputeNode:
    """Node of the graph for an output that backward computes again, from `source`, in this shape."""

    source: Any
    shape: torch.Size


def recompute(make: Callable[[Tensor], Tensor], x: Tensor, use: Callable[[Tensor], Tensor]) -> Tensor:
    """Compute `use(make(x))`, saving `x` for backward and computing `make(x)` again there.

    `make` must draw nothing at random. A `make` with hooks is called once, and its output is saved.
    """
    made = make(x)
    if not made.is_contiguous() or not can_call_twice(make, x):
        return use(made)
    hooks, version = saved_tensor_hooks((save_with_version, check_version)), version_of(made)
    if hooks is None or version is None:
        return use(made)
    save, load = hooks
    kind, identity = (
        x.device.type,
        storage_of(made),
    )  # not `made` itself, or the graph would hold it after all
    source = [x]
    autocast = torch.autocast(
        kind, torch.get_autocast_dtype(kind), enabled=torch.is_autocast_enabled(kind), cache_enabled=False
    )

    def pack(tensor: Tensor) -> Any:
        unchanged = version_of(tensor) == version
        if unchanged and tensor.is_contiguous() and storage_of(tensor) == identity:
            return RecomputeNode(save(*source), tensor.shape)
        return save(tensor)

    def unpack(saved: Any) -> Tensor:
        if not isinstance(saved, RecomputeNode):
            return load(saved)
        with torch.no_grad(), autocast:
            return make(load(saved.source)).view(saved.shape)

    with saved_tensors_hooks(pack, unpack):
        used = use(made)
    source.clear()  # torch holds `pack` as long as the graph, and a checkpoint that saves no `x` must free it
    return used


def can_call_twice(make: Callable[[Tensor], Tensor], x: Tensor) -> bool:
    """Return whether a second call of `make` goes unnoticed."""
    return is_eager(x) and not (isinstance(make, nn.Module) and has_hooks(make))


def storage_of(tensor: Tensor) -> tuple[int, int, torch.dtype]:
    """Return the identity of a tensor's storage: equal for a contiguous tensor and its reshaped views."""
    return tensor.data_ptr(), tensor.numel(), tensor.dtype


def save_with_version(tensor: Tensor) -> tuple[Tensor, int | None]:
    """Return a tensor to save, and its version, which changes with every write to it."""
    saved = tensor.detach()
    return saved, version_of(saved)


def check_version(saved: tuple[Tensor, int | None]) -> Tensor:
    """Return a saved tensor.

    Raises:
        RuntimeError: it was written to since, as torch itself would say.
    """
    tensor, version = saved
    if version_of(tensor) != version:
        raise RuntimeError(
            f"a tensor of shape {tuple(tensor.shape)}, which a gradient needs, was modified by an inplace "
            f"operation: it is at version {version_of(tensor)}, expected {version}"
        )
    return tensor

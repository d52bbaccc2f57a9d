"""What the backward pass makes again instead of finding it kept.

The outputs of norms and activations are as large as their inputs and cheap to make from them. Kept, they are
more than a third of all that training a Swin keeps.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._C import _autograd  # pyright: ignore[reportAttributeAccessIssue]
from torch.autograd.graph import saved_tensors_hooks

from .eager import is_watched, runs_at_once

Hooks = tuple[Callable[[Tensor], Any], Callable[[Any], Tensor]]


@dataclass(frozen=True)
class Again:
    """In the place of a tensor that is made again: from what, and of which shape."""

    source: Any
    shape: torch.Size


def through(make: Callable[[Tensor], Tensor], x: Tensor, use: Callable[[Tensor], Tensor]) -> Tensor:
    """`use(make(x))`, of which backward finds `x`, but makes what `make` gave again.

    `make` must draw nothing at random. Where it is watched it is called once, as ever; compilers choose by
    themselves what to keep.
    """
    made = make(x)
    if not torch.is_grad_enabled() or not made.is_contiguous() or not may_be_made_again(make, x):
        return use(made)
    keep, find = watching()
    kind, numbers = x.device.type, whose(made)  # not `made` itself, or the graph would hold it after all
    version = made._version  # noqa: SLF001  torch has no public name for it
    source = [x]
    autocast = torch.autocast(
        kind, torch.get_autocast_dtype(kind), enabled=torch.is_autocast_enabled(kind), cache_enabled=False
    )

    def pack(tensor: Tensor) -> Any:
        unchanged = tensor._version == version  # noqa: SLF001
        if unchanged and tensor.is_contiguous() and whose(tensor) == numbers:
            return Again(keep(*source), tensor.shape)
        return keep(tensor)

    def unpack(kept: Any) -> Tensor:
        if not isinstance(kept, Again):
            return find(kept)
        with torch.no_grad(), autocast:
            return make(find(kept.source)).view(kept.shape)

    with saved_tensors_hooks(pack, unpack):
        used = use(made)
    source.clear()  # torch holds `pack` as long as the graph; a checkpoint that keeps no `x` must free it
    return used


def may_be_made_again(make: Callable[[Tensor], Tensor], x: Tensor) -> bool:
    """Whether nobody minds that `make` is called with `x` a second time."""
    if not runs_at_once(x) or (isinstance(make, nn.Module) and is_watched(make)):
        return False
    return _autograd._saved_tensors_hooks_is_enabled()  # noqa: SLF001  # pyright: ignore[reportAttributeAccessIssue]


def whose(tensor: Tensor) -> tuple[int, int, torch.dtype]:
    """What a contiguous tensor shares with its views of another shape, and no other."""
    return tensor.data_ptr(), tensor.numel(), tensor.dtype


def watching() -> Hooks:
    """What is done already to tensors that are kept, as by checkpointing; else they are kept as they are."""
    hooks = _autograd._top_saved_tensors_default_hooks(False)  # noqa: SLF001  no public one tells
    return (noted, as_noted) if hooks is None else hooks


def noted(tensor: Tensor) -> tuple[Tensor, int]:
    """A tensor to keep, and its version, which changes with whatever is written to it."""
    kept = tensor.detach()
    return kept, kept._version  # noqa: SLF001  torch has no public name for it


def as_noted(kept: tuple[Tensor, int]) -> Tensor:
    """A tensor that was kept.

    Raises:
        RuntimeError: it was written to since, as torch itself would say.
    """
    tensor, version = kept
    if tensor._version != version:  # noqa: SLF001
        raise RuntimeError(
            f"a tensor of shape {tuple(tensor.shape)}, which a gradient needs, was modified by an inplace "
            f"operation: it is at version {tensor._version}, expected {version}"  # noqa: SLF001
        )
    return tensor

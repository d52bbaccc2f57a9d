"""Chunked execution: few images or tokens at a time, so that intermediates fit the CPU cache.

This is faster on a CPU only, and without gradients only, since then nothing outlives the next operation. With
gradients it saves memory: intermediates of the backward pass, and of what a checkpoint recomputes, exist for
one chunk at a time.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from .torch_internals import has_hooks

CHUNK = 2**19  # numbers of the input; the hidden layer of an MLP, four times as wide, still fits the cache
CHUNK_WITH_GRADIENTS = 2**20  # larger, because each chunk adds its share to the gradients of all weights


def run_in_chunks(module: nn.Module, forward: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Compute `forward(x)` of `module` for the B images or tokens of `x`, (B, ...)."""
    if x.numel() <= CHUNK or not can_split_batch(module, x):  # sizes first: the other visits every submodule
        return forward(x)
    return run_chunks(forward, x, CHUNK)


def run_in_token_chunks(module: nn.Module, forward: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Compute `forward(x)` of `module`, which treats each token by itself: (..., C) -> (..., C)."""
    if x.numel() <= CHUNK or not can_split_batch(module, x):
        return forward(x)
    return run_chunks(forward, x.flatten(0, -2), CHUNK).view(x.shape)


def run_in_token_chunks_with_gradients(
    parts: Sequence[nn.Module], forward: Callable[[Tensor], Tensor], x: Tensor
) -> Tensor:
    """Compute `forward(x)` of `parts` as `run_in_token_chunks` does, where gradients are wanted."""
    if x.numel() <= CHUNK_WITH_GRADIENTS or not can_split_tokens(parts, x):
        return forward(x)
    return run_chunks(forward, x.flatten(0, -2), CHUNK_WITH_GRADIENTS).view(x.shape)


def run_chunks(forward: Callable[[Tensor], Tensor], x: Tensor, size: int) -> Tensor:
    """Compute `forward(x)` for as many of the B rows of `x`, (B, ...), at a time as have `size` numbers."""
    rows = max(1, size * len(x) // max(1, x.numel()))
    return forward(x) if len(x) <= rows else torch.cat([forward(chunk) for chunk in x.split(rows)])


def can_split_batch(module: nn.Module, x: Tensor) -> bool:
    """Return whether `module` may be given the images of `x` a few at a time."""
    if torch.is_grad_enabled() or x.device.type != "cpu":
        return False
    return all(map(is_imagewise, module.modules()))


def is_imagewise(module: nn.Module) -> bool:
    """Return whether `module` may be given a part of a batch.

    It may not if it draws at random for each image, as in training, if it mixes images, as experts do, or if
    it has hooks.
    """
    return not (module.training or has_hooks(module) or getattr(module, "mixes_images", False))


def can_split_tokens(parts: Sequence[nn.Module], x: Tensor) -> bool:
    """Return whether `parts` may be given the tokens of `x` a few at a time although gradients are wanted."""
    if not torch.is_grad_enabled() or x.device.type != "cpu":
        return False
    return all(is_tokenwise(module) for part in parts for module in part.modules())


def is_tokenwise(module: nn.Module) -> bool:
    """Return whether `module` is known to treat each token by itself, in training too, and has no hooks."""
    if has_hooks(module) or (isinstance(module, nn.Dropout) and module.training and module.p > 0):
        return False
    known = type(module) in (nn.Linear, nn.LayerNorm, nn.GELU, nn.Dropout)
    return known or not getattr(module, "mixes_tokens", True)

"""Answers for a few images or tokens at a time, so that what lies between two operations stays in the cache.

Faster on a CPU alone, and without gradients alone: then nothing has to outlive the next operation.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .eager import runs_at_once

PIECE = 2**19  # numbers; with the hidden layer, at four times the width, about what caches hold


def in_pieces(part: nn.Module, forward: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """`forward(x)` of `part`, for the B images or tokens of `x`, (B, ...)."""
    if not goes_in_pieces(part, x):
        return forward(x)
    images = max(1, PIECE * len(x) // max(1, x.numel()))
    if len(x) <= images:
        return forward(x)
    return torch.cat([forward(piece) for piece in x.split(images)])


def by_token(part: nn.Module, forward: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """`forward(x)` of `part`, for the tokens of `x`, (..., C), of which none sees another."""
    if not goes_in_pieces(part, x) or x.numel() <= PIECE:
        return forward(x)
    return in_pieces(part, forward, x.flatten(0, -2)).view(x.shape)


def goes_in_pieces(part: nn.Module, x: Tensor) -> bool:
    """Whether `part` may be given `x` in pieces."""
    if not runs_at_once(x) or torch.is_grad_enabled() or part.training or x.device.type != "cpu":
        return False
    return all(map(takes_images_apart, part.modules()))


def takes_images_apart(module: nn.Module) -> bool:
    """Whether `module` neither looks across images, as experts do, nor is watched by hooks that want all."""
    watched = module._forward_hooks or module._forward_pre_hooks  # noqa: SLF001  there is no public way
    return not (watched or getattr(module, "looks_across_images", False))

"""Answers for a few images at a time, so that what lies between two operations stays in the cache.

Faster on a CPU alone, and without gradients alone: then nothing has to outlive the next operation.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .eager import runs_at_once

PIECE = 2**20  # numbers; with the hidden layer, at four times the width, about what caches hold


def in_pieces(part: nn.Module, forward: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """`forward(x)` of `part`, for the B images of `x`, (B, ...)."""
    if not runs_at_once(x) or torch.is_grad_enabled() or part.training or x.device.type != "cpu":
        return forward(x)
    images = max(1, PIECE * len(x) // max(1, x.numel()))
    if len(x) <= images or not all(map(takes_images_apart, part.modules())):
        return forward(x)
    return torch.cat([forward(piece) for piece in x.split(images)])


def takes_images_apart(module: nn.Module) -> bool:
    """Whether `module` neither looks across images, as experts do, nor is watched by hooks that want all."""
    watched = module._forward_hooks or module._forward_pre_hooks  # noqa: SLF001  there is no public way
    return not (watched or getattr(module, "looks_across_images", False))

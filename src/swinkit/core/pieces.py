"""Answers for a few images or tokens at a time, so that what lies between two operations stays in the cache.

Faster on a CPU alone, and without gradients alone: then nothing has to outlive the next operation.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .eager import is_watched, runs_at_once

PIECE = 2**19  # numbers; with the hidden layer, at four times the width, about what caches hold


def in_pieces(part: nn.Module, forward: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """`forward(x)` of `part`, for the B images or tokens of `x`, (B, ...)."""
    return piece_by_piece(forward, x) if exceeds_a_piece(x) and goes_in_pieces(part, x) else forward(x)


def by_token(part: nn.Module, forward: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """`forward(x)` of `part`, for the tokens of `x`, (..., C), of which none sees another."""
    if not (exceeds_a_piece(x) and goes_in_pieces(part, x)):
        return forward(x)
    return piece_by_piece(forward, x.flatten(0, -2)).view(x.shape)


def piece_by_piece(forward: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """`forward(x)`, for as many of the B rows of `x`, (B, ...), at a time as a piece holds."""
    rows = max(1, PIECE * len(x) // max(1, x.numel()))
    return forward(x) if len(x) <= rows else torch.cat([forward(piece) for piece in x.split(rows)])


def exceeds_a_piece(x: Tensor) -> bool:
    """Whether there is more of `x` than one piece; asked first, as `goes_in_pieces` visits every module."""
    return runs_at_once(x) and x.numel() > PIECE  # sizes that are recorded must not be compared


def goes_in_pieces(part: nn.Module, x: Tensor) -> bool:
    """Whether `part` may be given `x` in pieces."""
    if not runs_at_once(x) or torch.is_grad_enabled() or x.device.type != "cpu":
        return False
    return all(map(takes_images_apart, part.modules()))


def takes_images_apart(module: nn.Module) -> bool:
    """Whether `module` may be given a part of a batch.

    Not if it draws for each image, as in training, looks across images, as experts do, or is watched.
    """
    return not (module.training or is_watched(module) or getattr(module, "looks_across_images", False))

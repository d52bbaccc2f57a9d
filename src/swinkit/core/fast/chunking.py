"""Answers for a few images or tokens at a time, so that what lies between two operations stays in the cache.

Faster on a CPU alone, and without gradients alone: then nothing has to outlive the next operation. With
gradients it saves memory: of what the backward pass makes, and of what a checkpoint makes again, there is no
more at a time than belongs to a piece.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from .eager import is_watched, runs_at_once

PIECE = 2**19  # numbers; with the hidden layer, at four times the width, about what caches hold
LEARNED_PIECE = 2**20  # larger, as each piece adds its share to the gradients of all weights


def in_pieces(part: nn.Module, forward: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """`forward(x)` of `part`, for the B images or tokens of `x`, (B, ...)."""
    if not (exceeds_a_piece(x, PIECE) and goes_in_pieces(part, x)):
        return forward(x)
    return piece_by_piece(forward, x, PIECE)


def by_token(part: nn.Module, forward: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """`forward(x)` of `part`, for the tokens of `x`, (..., C), of which none sees another."""
    if not (exceeds_a_piece(x, PIECE) and goes_in_pieces(part, x)):
        return forward(x)
    return piece_by_piece(forward, x.flatten(0, -2), PIECE).view(x.shape)


def learned_by_token(parts: Sequence[nn.Module], forward: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """As `by_token`, where gradients are wanted: `forward(x)` of `parts`."""
    if not (exceeds_a_piece(x, LEARNED_PIECE) and learns_in_pieces(parts, x)):
        return forward(x)
    return piece_by_piece(forward, x.flatten(0, -2), LEARNED_PIECE).view(x.shape)


def piece_by_piece(forward: Callable[[Tensor], Tensor], x: Tensor, piece: int) -> Tensor:
    """`forward(x)`, for as many of the B rows of `x`, (B, ...), at a time as have `piece` numbers."""
    rows = max(1, piece * len(x) // max(1, x.numel()))
    return forward(x) if len(x) <= rows else torch.cat([forward(some) for some in x.split(rows)])


def exceeds_a_piece(x: Tensor, piece: int) -> bool:
    """Whether there is more of `x` than one piece; asked first, as what follows visits every module."""
    return runs_at_once(x) and x.numel() > piece  # sizes that are recorded must not be compared


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


def learns_in_pieces(parts: Sequence[nn.Module], x: Tensor) -> bool:
    """Whether `parts` may be given `x` in pieces although gradients are wanted."""
    if not runs_at_once(x) or not torch.is_grad_enabled() or x.device.type != "cpu":
        return False
    return all(takes_tokens_apart(module) for part in parts for module in part.modules())


def takes_tokens_apart(module: nn.Module) -> bool:
    """Whether `module` is known to answer for each token by itself, in training too, and is not watched."""
    if is_watched(module) or (isinstance(module, nn.Dropout) and module.training and module.p > 0):
        return False
    known = type(module) in (nn.Linear, nn.LayerNorm, nn.GELU, nn.Dropout)
    return known or getattr(module, "looks_at_one_token", False)

"""Swin-MLP's weights as Microsoft stores them: those of a grouped 1x1 convolution over a window's tokens.

Shapes: H heads, N tokens in a window.
"""

from collections.abc import Sequence

from torch import Tensor

from ...core.spec import Spec
from ...errors import DataError


def by_heads(tensors: Sequence[Tensor], _spec: Spec | None) -> Sequence[Tensor]:
    """[(H * N, N, 1), (H * N)] -> [(H, N, N), (H, N)].

    Raises:
        DataError: the tensors have other shapes.
    """
    weight, bias = tensors
    tokens = weight.shape[1] if weight.ndim == 3 and weight.shape[2] == 1 else 0
    if not tokens or weight.shape[0] % tokens or bias.shape != weight.shape[:1]:
        raise DataError(
            f"spatial_mlp of shapes {tuple(weight.shape)} and {tuple(bias.shape)}, "
            "which are not (heads * tokens, tokens, 1) and (heads * tokens)"
        )
    return weight.reshape(-1, tokens, tokens), bias.reshape(-1, tokens)


def as_convolution(tensors: Sequence[Tensor], _spec: Spec | None) -> Sequence[Tensor]:
    """[(H, N, N), (H, N)] -> [(H * N, N, 1), (H * N)]."""
    weight, bias = tensors
    return weight.reshape(-1, weight.shape[2], 1), bias.reshape(-1)

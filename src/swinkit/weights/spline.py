"""Cubic spline interpolation between places at unequal distances, in float64.

Shapes: m places with known values, n places asked for, k knots.
"""

import torch
from torch import Tensor

from ..errors import UsageError

DEGREE = 3
NARROWEST, WIDEST, PRECISION = 1.01, 1.5, 1e-6  # bounds and accuracy of the ratio, as published


def geometric_places(old: int, new: int) -> Tensor:
    """Return where the offsets of an `old`-row table lie on the axis of a `new`-row one: (old,) float64.

    From the middle outwards they lie at 1, 1 + q, 1 + q + q^2, ..., with q such that the outermost falls on
    that of the new table: close to the middle, where offsets are small, little changes. As in BEiT's
    fine-tuning, and in SimMIM's.
    """
    low, high = NARROWEST, WIDEST
    ratio = low
    while high - low > PRECISION:
        ratio = (low + high) / 2
        if (1 - ratio ** (old // 2)) / (1 - ratio) > new // 2:
            high = ratio
        else:
            low = ratio
    steps = ratio ** torch.arange(old // 2, dtype=torch.float64)
    outwards = steps.cumsum(0)
    return torch.cat([-outwards.flip(0), outwards.new_zeros(1), outwards])


def spline_matrix(places: Tensor, asked: Tensor) -> Tensor:
    """Return the matrix from values at `places` to those at `asked` on the spline: (m,), (n,) -> (n, m).

    The spline is the not-a-knot one (FITPACK's for s = 0): its third derivative has no jump at the second and
    the last but one place. Outside of all places it keeps the outermost value.

    Raises:
        UsageError: there are too few places for a cubic.
    """
    if len(places) <= DEGREE:
        raise UsageError(f"no cubic spline goes through {len(places)} places; it takes {DEGREE + 1}")
    first, last = places[:1], places[-1:]
    knots = torch.cat([first.repeat(DEGREE + 1), places[2:-2], last.repeat(DEGREE + 1)])
    at_places, at_asked = basis(knots, places), basis(knots, asked.clamp(first, last))
    return torch.linalg.solve(at_places, at_asked, left=False)


def basis(knots: Tensor, x: Tensor) -> Tensor:
    """Evaluate all cubic B-splines over `knots` at `x`: (k,), (n,) -> (n, k - 4) (Cox and de Boor)."""
    pieces = len(knots) - 1
    piece = torch.searchsorted(knots, x, right=True) - 1
    piece = piece.clamp(DEGREE, pieces - 1 - DEGREE)  # the last place belongs to the piece that it ends
    values = torch.nn.functional.one_hot(piece, pieces).to(x.dtype)
    for degree in range(1, DEGREE + 1):
        left, right = knots[: -degree - 1], knots[degree + 1 :]
        rising = share(x[:, None] - left, knots[degree:-1] - left)
        falling = share(right - x[:, None], right - knots[1:-degree])
        values = rising * values[:, :-1] + falling * values[:, 1:]
    return values


def share(part: Tensor, whole: Tensor) -> Tensor:
    """Return `part / whole`, and 0 where knots coincide."""
    return torch.where(whole > 0, part / whole.where(whole > 0, 1), 0)

"""The seam between each plain `forward` of `core` and its fast twin.

Operations that run eagerly may look things up, keep results, and choose by size. Operations that are recorded
or transformed, by `torch.compile`, `torch.export`, tracing, `torch.func` or forward-mode differentiation,
have to be spelled out on what comes in; there the plain `forward` runs.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import torch
from torch import Tensor

from .torch_internals import is_transforming

Forward = TypeVar("Forward", bound=Callable[[Any, Tensor], Tensor])


def fast_twin(fast: Callable[[Any, Tensor], Tensor]) -> Callable[[Forward], Forward]:
    """Let `fast` compute a `forward` where operations run eagerly; the original stays as `forward.plain`."""

    def decorate(plain: Forward) -> Forward:
        @wraps(plain)
        def forward(self: Any, x: Tensor) -> Tensor:
            return fast(self, x) if is_eager(x) else plain(self, x)

        twin: Any = forward
        twin.plain = plain
        return twin

    return decorate


def is_eager(x: Tensor) -> bool:
    """Return whether operations on `x` are carried out now, on numbers in memory."""
    return (
        type(x) is Tensor
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]  documented, not exported
        and not x.is_meta
        and not is_transforming()
    )

"""Muon: steps of matrices, orthogonalised (Jordan 2024, https://kellerjordan.github.io/posts/muon/).

The momentum of a matrix has a few strong directions and many weak ones; an orthogonalised step takes all
of them with the same strength. Vectors, tables, the patches and the classifier are left to AdamW. So that
one learning rate suits both, a step of a matrix is as large as AdamW's would be (Liu et al. 2025, Muon is
Scalable for LLM Training, section 2.2).

Shapes: K matrices, M x N each.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

MATRICES = "matrices"  # the entry of a group that tells whose it is
MOMENTUM = 0.95
ROUNDS, QUINTIC = 5, (3.4445, -4.7750, 2.0315)  # of Newton-Schulz, as published: steepest at zero
LIKE_ADAMW = 0.2  # root of the mean square of AdamW's steps, about, in units of the learning rate


class Muon(torch.optim.AdamW):
    """Muon for the groups of `matrices`, AdamW for the others."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update all parameters that have a gradient."""
        with self._only(matrices=False):
            loss = super().step(closure)
        with self._only(matrices=True):
            for group in self.param_groups:
                self._turn(group)
        return loss

    def _turn(self, group: dict[str, Any]) -> None:
        """Update the matrices of a group, those of one shape at once."""
        alike: dict[torch.Size, list[Tensor]] = defaultdict(list)
        for weight in group["params"]:
            if weight.grad is not None:
                alike[weight.shape].append(weight)
        for (rows, columns), weights in alike.items():
            steps = orthogonal(torch.stack([self._gathered(weight) for weight in weights]))
            length = group["lr"] * LIKE_ADAMW * max(rows, columns) ** 0.5
            for weight, step in zip(weights, steps, strict=True):
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.sub_(step.to(weight.dtype), alpha=length)

    def _gathered(self, weight: Tensor) -> Tensor:
        """Return Nesterov's momentum of the gradient."""
        state = self.state[weight]
        if not state:
            state["step"] = torch.zeros(())  # which AdamW expects where it reads a state
            state["momentum"] = torch.zeros_like(weight)
        state["step"] += 1
        momentum: Tensor = state["momentum"].lerp_(weight.grad, 1 - MOMENTUM)
        assert weight.grad is not None
        return weight.grad.lerp(momentum, MOMENTUM)

    @contextmanager
    def _only(self, *, matrices: bool) -> Iterator[None]:
        """Restrict the optimiser to the groups of matrices, or to the others, while inside."""
        groups = self.param_groups
        self.param_groups = [group for group in groups if group[MATRICES] == matrices]
        try:
            yield
        finally:
            self.param_groups = groups


def orthogonal(x: Tensor) -> Tensor:
    """Orthogonalise (K, M, N) -> (K, M, N): the same singular vectors, singular values from 0.7 to 1.2.

    In bf16, as published, because the iteration tolerates its rounding.
    """
    tall = x.shape[1] > x.shape[2]
    x = x.bfloat16()
    x = x.mT if tall else x
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    a, b, c = QUINTIC
    for _ in range(ROUNDS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x

"""Routers: how well each expert suits each token.

Computed in at least fp32: two scores that half precision cannot tell apart would send a token anywhere.

Shapes: N tokens, C channels, E experts, R channels of the comparison.
"""

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..position import linear, outside_autocast


class Router(nn.Module, ABC):
    """`router(tokens) -> (plain, noisy)`, both (N, E) logits; in eval mode they are the same tensor.

    In training noise is added to choose by, N(0, `noise / num_experts`), so that experts who are seldom
    chosen are tried at times.
    """

    def __init__(self, num_experts: int, noise: float):
        super().__init__()
        self.spread = noise / num_experts

    @abstractmethod
    def compare(self, tokens: Tensor) -> Tensor:
        """(N, C) -> (N, E), in the precision of `tokens`."""

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """(N, C) -> (N, E) twice: without noise, and with it."""
        with outside_autocast(tokens.device):
            plain = self.compare(tokens.to(torch.promote_types(tokens.dtype, torch.float32)))
        if not self.training or self.spread == 0.0:
            return plain, plain
        return plain, plain + self.spread * torch.randn_like(plain)


class LinearRouter(Router):
    """One product with a learned vector per expert."""

    def __init__(self, dim: int, num_experts: int, noise: float):
        super().__init__(num_experts, noise)
        self.gate = nn.Linear(dim, num_experts, bias=False)

    def compare(self, tokens: Tensor) -> Tensor:
        """(N, C) -> (N, E)."""
        return linear(self.gate, tokens)


class CosineRouter(Router):
    """The cosine of the token, projected, and a learned key per expert, times a temperature, at most 100.

    Chi et al. 2022, https://arxiv.org/abs/2204.09179, section 4.
    """

    matrix_role: ClassVar[str] = "router"

    def __init__(self, dim: int, num_experts: int, noise: float, width: int):
        super().__init__(num_experts, noise)
        self.proj = nn.Linear(dim, width)
        self.keys = nn.Parameter(torch.empty(width, num_experts))
        self.log_scale = nn.Parameter(torch.empty(1))

    def compare(self, tokens: Tensor) -> Tensor:
        """(N, C) -> (N, E)."""
        dtype = tokens.dtype
        cosine = F.normalize(linear(self.proj, tokens), dim=1) @ F.normalize(self.keys.to(dtype), dim=0)
        return cosine * self.log_scale.to(dtype).clamp(max=math.log(100)).exp()

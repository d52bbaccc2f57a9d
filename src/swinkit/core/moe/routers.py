"""Routers, which score each expert for each token.

Scores are computed in at least fp32, because half precision rounds different scores to the same number, and
then the choice of an expert would be arbitrary.

Shapes: N tokens, C channels, E experts, R channels of the comparison.
"""

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..position import disable_autocast
from ..precision import apply_layer


class Router(nn.Module, ABC):
    """A router: `router(tokens) -> (plain, noisy)`, both (N, E) logits; in eval mode the same tensor.

    In training, experts are chosen by logits with noise from N(0, `noise / num_experts`), so that seldom
    chosen experts get some tokens as well.
    """

    def __init__(self, num_experts: int, noise: float):
        super().__init__()
        self.spread = noise / num_experts

    @abstractmethod
    def compare(self, tokens: Tensor) -> Tensor:
        """Compute logits in the precision of `tokens`: (N, C) -> (N, E)."""

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Compute logits without and with noise: (N, C) -> two (N, E)."""
        with disable_autocast(tokens.device):
            plain = self.compare(tokens.to(torch.promote_types(tokens.dtype, torch.float32)))
        if not self.training or self.spread == 0.0:
            return plain, plain
        return plain, plain + self.spread * torch.randn_like(plain)


class LinearRouter(Router):
    """A router by the product of the token and a learned vector per expert."""

    def __init__(self, dim: int, num_experts: int, noise: float):
        super().__init__(num_experts, noise)
        self.gate = nn.Linear(dim, num_experts, bias=False)

    def compare(self, tokens: Tensor) -> Tensor:
        """Compute logits: (N, C) -> (N, E)."""
        return apply_layer(self.gate, tokens)


class CosineRouter(Router):
    """A router by the cosine of the projected token and a learned key per expert, times at most 100.

    Chi et al. 2022, https://arxiv.org/abs/2204.09179, section 4.
    """

    matrix_role: ClassVar[str] = "router"

    def __init__(self, dim: int, num_experts: int, noise: float, width: int):
        super().__init__(num_experts, noise)
        self.proj = nn.Linear(dim, width)
        self.keys = nn.Parameter(torch.empty(width, num_experts))
        self.log_scale = nn.Parameter(torch.empty(1))

    def compare(self, tokens: Tensor) -> Tensor:
        """Compute logits: (N, C) -> (N, E)."""
        dtype = tokens.dtype
        cosine = F.normalize(apply_layer(self.proj, tokens), dim=1) @ F.normalize(self.keys.to(dtype), dim=0)
        return cosine * self.log_scale.to(dtype).clamp(max=math.log(100)).exp()

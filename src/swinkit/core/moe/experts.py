"""Mixture of experts: many MLPs instead of one, of which each token uses a few.

Swin-MoE (Hwang et al. 2022, https://arxiv.org/abs/2206.03382), by way of Switch Transformers.

Shapes: N tokens, C channels, E experts, S slots of each expert, F hidden channels.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .balance import Balance
from .dispatch import Dispatch, DispatchPolicy, dispatch
from .routers import Router


class ExpertMLPs(nn.Module):
    """The MLPs of all experts, computed together: (E, S, C) -> (E, S, C)."""

    parameter_roles: ClassVar[Mapping[str, str]] = {
        "fc1_bias": "vector",
        "fc2_bias": "vector",
    }  # one for each expert

    def __init__(self, num_experts: int, dim: int, hidden: int, *, dropout: float, output_bias: bool):
        super().__init__()
        self.fc1 = nn.Parameter(torch.empty(num_experts, hidden, dim))
        self.fc1_bias = nn.Parameter(torch.empty(num_experts, hidden))
        self.fc2 = nn.Parameter(torch.empty(num_experts, hidden, dim))
        self.fc2_bias = nn.Parameter(torch.empty(num_experts, dim)) if output_bias else None
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Transform the tokens in the slots of each expert: (E, S, C) -> (E, S, C)."""
        x = torch.baddbmm(self.fc1_bias[:, None], x, self.fc1.mT)
        x = self.dropout(F.gelu(x))
        if self.fc2_bias is None:
            return torch.bmm(x, self.fc2)
        return torch.baddbmm(self.fc2_bias[:, None], x, self.fc2)


class Experts(nn.Module):
    """A mixture of experts: (..., C) -> (..., C), zeros for tokens that find no slot.

    `balance` is the load-balancing loss of the last forward, with its gradient, for a task to add to its
    loss; None before the first forward. It is an output, not state: copies begin without it.
    """

    mixes_images = True  # the tokens of a batch compete for slots

    def __init__(self, router: Router, experts: ExpertMLPs, policy: DispatchPolicy, balance_loss: Balance):
        super().__init__()
        self.router = router
        self.experts = experts
        self.policy = policy
        self.balance_loss = balance_loss
        self.balance: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Send each token through its experts: (..., C) -> (..., C)."""
        tokens = x.flatten(0, -2)
        plan, balance = self.route(tokens)
        if not torch.compiler.is_exporting():  # an exported program holds nothing beside its weights
            self.balance = balance
        answers = self.experts(plan.gather(tokens))
        return plan.scatter(answers).to(x.dtype).view(x.shape)

    def route(self, tokens: Tensor) -> tuple[Dispatch, Tensor]:
        """Choose the experts of tokens, (N, C), and compute the load-balancing loss, a scalar."""
        plain, noisy = self.router(tokens)
        plan = dispatch(noisy.softmax(1), self.policy)
        return plan, self.balance_loss(plain, noisy, plan.expert, self.router.spread)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "balance": None}  # a tensor with a history cannot be copied

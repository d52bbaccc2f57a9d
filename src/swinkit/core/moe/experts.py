"""Experts: many MLPs in place of one, of which every token meets a few.

Swin-MoE (Hwang et al. 2022, https://arxiv.org/abs/2206.03382), by way of Switch Transformers.

Shapes: N tokens, C channels, E experts, S slots of each expert, F hidden channels.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .balance import Balance
from .dispatch import Dispatch, Policy, dispatch
from .routers import Router


class ExpertMLPs(nn.Module):
    """(E, S, C) -> (E, S, C): an MLP for each expert, all at once."""

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
        """(E, S, C) -> (E, S, C)."""
        x = torch.baddbmm(self.fc1_bias[:, None], x, self.fc1.mT)
        x = self.dropout(F.gelu(x))
        if self.fc2_bias is None:
            return torch.bmm(x, self.fc2)
        return torch.baddbmm(self.fc2_bias[:, None], x, self.fc2)


class Experts(nn.Module):
    """(..., C) -> (..., C): tokens meet their experts; those who find no slot get zeros.

    `balance` is how uneven the last forward was, with its gradient, for a task to add to its loss; None
    before the first. It is an answer and no state: copies and saved modules begin without it.
    """

    mixes_images = True  # the tokens of a batch compete for slots

    def __init__(self, router: Router, experts: ExpertMLPs, policy: Policy, balance_loss: Balance):
        super().__init__()
        self.router = router
        self.experts = experts
        self.policy = policy
        self.balance_loss = balance_loss
        self.balance: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., C)."""
        tokens = x.flatten(0, -2)
        plan, balance = self.route(tokens)
        if not torch.compiler.is_exporting():  # a program keeps nothing beside its weights
            self.balance = balance
        answers = self.experts(plan.gather(tokens))
        return plan.scatter(answers).to(x.dtype).view(x.shape)

    def route(self, tokens: Tensor) -> tuple[Dispatch, Tensor]:
        """(N, C) -> where each token goes, and how uneven that is."""
        plain, noisy = self.router(tokens)
        plan = dispatch(noisy.softmax(1), self.policy)
        return plan, self.balance_loss(plain, noisy, plan.expert, self.router.spread)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "balance": None}  # a tensor with a history cannot be copied

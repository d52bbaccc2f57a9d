"""Dispatch of tokens to experts, each with a limited number of slots, and back.

Slots are counted within one process. If experts are spread over several, the (E, S, C) of `gather` is
exchanged between processes, and comes back before `scatter`; nothing else here depends on that.

Shapes: N tokens, C channels, E experts, K choices of each token, S slots of each expert.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class DispatchPolicy:
    """The number of experts of a token, and the rule for slots.

    `capacity_factor` 1 gives every expert its even share of slots, rounded up to a multiple of `multiple`,
    the number of processes that share the experts. 0 gives as many slots as the busiest expert needs, so that
    no token is dropped; below 0 the same, but at most what the factor without its sign gives.
    """

    top_k: int
    capacity_factor: float
    multiple: int = 1
    normalised: bool = False  # the weights of a token's choices sum to 1
    prioritised: bool = True  # the surest tokens of the batch are served first, not the earliest


@dataclass(frozen=True, eq=False)
class Dispatch:
    """The experts of every token: `expert`, `turn` and `weight` are all (N, K), the surest choice first.

    A choice whose turn is `capacity` or later finds no slot, and adds nothing to the token.
    """

    expert: Tensor
    turn: Tensor
    weight: Tensor
    num_experts: int
    capacity: int

    @property
    def rows(self) -> Tensor:
        """The row of each choice among all slots, (N * K); E * S for a choice without a slot."""
        rows = self.expert * self.capacity + self.turn
        return rows.masked_fill(self.turn >= self.capacity, self.num_experts * self.capacity).flatten()

    def gather(self, tokens: Tensor) -> Tensor:
        """Gather tokens into slots, zeros in those left empty: (N, C) -> (E, S, C)."""
        slots = self.num_experts * self.capacity
        source = tokens[:, None].expand(-1, self.expert.shape[1], -1).flatten(0, 1)
        filled = tokens.new_zeros(slots + 1, tokens.shape[1]).index_add(0, self.rows, source)
        return filled[:slots].unflatten(0, (self.num_experts, self.capacity))

    def scatter(self, answers: Tensor) -> Tensor:
        """Sum each token's weighted answers, in the precision of the weights: (E, S, C) -> (N, C)."""
        rows = F.pad(answers.flatten(0, 1), (0, 0, 0, 1))  # the last, zero, is for those without a slot
        chosen = rows.index_select(0, self.rows).unflatten(0, self.expert.shape)
        return (chosen * self.weight[:, :, None]).sum(1)


def dispatch(scores: Tensor, policy: DispatchPolicy) -> Dispatch:
    """Choose the experts of every token from probabilities, (N, E).

    All first choices find slots before any second one (GShard, https://arxiv.org/abs/2006.16668,
    algorithm 1). Ties go to the earlier token, so that equal inputs have equal answers.
    """
    weight, expert = scores.topk(policy.top_k, dim=1)
    if policy.normalised and policy.top_k > 1:
        weight = weight / weight.sum(1, keepdim=True).clamp(min=torch.finfo(weight.dtype).eps)
    queue = torch.arange(len(scores), device=scores.device)
    if policy.prioritised:  # Riquelme et al. 2021, https://arxiv.org/abs/2106.05974, section 3.1
        queue = scores.amax(1).argsort(descending=True, stable=True)
    turn = turns(expert, queue, scores.shape[1])
    return Dispatch(expert, turn, weight, scores.shape[1], capacity(turn, scores.shape[1], policy))


def turns(expert: Tensor, queue: Tensor, num_experts: int) -> Tensor:
    """Count the choices that an expert serves before each choice, (N, K), given the order of tokens."""
    served = expert[queue].T.flatten()  # all first choices, then all second ones
    before = F.one_hot(served, num_experts).cumsum(0).gather(1, served[:, None]) - 1
    return torch.empty_like(expert).index_copy(0, queue, before.view(expert.shape[1], -1).T)


def capacity(turn: Tensor, num_experts: int, policy: DispatchPolicy) -> int:
    """Return the number of slots of each expert, given the turns, (N, K), of all choices."""
    share = math.ceil(len(turn) / num_experts)
    slots = policy.top_k * int(abs(policy.capacity_factor) * share)
    if policy.capacity_factor <= 0:
        needed = int(turn.max()) + 1 if turn.numel() else 0
        slots = needed if policy.capacity_factor == 0 else min(needed, slots)
    return math.ceil(slots / policy.multiple) * policy.multiple

"""Load-balancing losses, which keep a router from sending all tokens to a few experts.

Shapes: N tokens, E experts, K choices of each token.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Balance = Callable[[Tensor, Tensor, Tensor, float], Tensor]


def load_importance(plain: Tensor, noisy: Tensor, expert: Tensor, spread: float) -> Tensor:
    """Compute the load-importance loss, a scalar, from logits without and with noise, both (N, E).

    `expert` holds the choices, (N, K), and `spread` the standard deviation of the noise.

    Shazeer et al. 2017, https://arxiv.org/abs/1701.06538, appendix A: the mean of two squared coefficients of
    variation over experts, of the sum of their scores (importance) and of how many tokens would choose them
    under noise drawn anew (load). As Tutel computes it: the load compares a score, not a logit, with the
    logit of the last choice (docs/parity.md).
    """
    scores = plain.softmax(1)
    threshold = noisy.gather(1, expert[:, -1:])
    load = torch.special.ndtr((scores - threshold) / spread)
    return (unevenness(scores.sum(0)) + unevenness(load.sum(0))) / 2


def unevenness(amounts: Tensor) -> Tensor:
    """Compute the squared coefficient of variation of (E) amounts, by the unbiased variance."""
    return amounts.var() / (amounts.mean() ** 2 + 1e-10)


def gshard(plain: Tensor, noisy: Tensor, expert: Tensor, spread: float) -> Tensor:  # noqa: ARG001  as its sibling
    """Compute GShard's loss, a scalar, 1 if all experts get the same; arguments as `load_importance`.

    https://arxiv.org/abs/2006.16668, section 2.2: the mean score of each expert times the share of
    tokens whose first choice it is.
    """
    num_experts = noisy.shape[1]
    first = F.one_hot(expert[:, 0], num_experts).to(noisy.dtype)
    return num_experts * (noisy.softmax(1).mean(0) * first.mean(0)).sum()


BALANCES: dict[str, Balance] = {"load-importance": load_importance, "gshard": gshard}

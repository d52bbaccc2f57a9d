"""What the backward pass makes again instead of finding it kept.

The output of an activation is as large as its input and cheap to make from it. Kept, the two are nearly half
of all that training a Swin keeps.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from .eager import runs_at_once


def remade(part: Callable[[Tensor], Tensor], x: Tensor, *, random: bool) -> Tensor:
    """`part(x)`; of what it computes with gradients, only the last product's answer and `x` are kept.

    The backward pass goes through `part` again, as far as it has to: not through the last product. Compilers
    choose by themselves what to keep. `random` says that `part` draws, and has to draw the same again.
    """
    if not torch.is_grad_enabled() or not runs_at_once(x):
        return part(x)
    return checkpoint(part, x, use_reentrant=False, preserve_rng_state=random, determinism_check="none")

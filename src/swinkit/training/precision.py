"""Parts that stay in fp32 where a forward pass computes in bf16 or fp16.

Under autocast, matrix products and convolutions are in half precision. The rest depends on the device: CUDA's
autocast norms in fp32, the CPU's in whatever type arrives, so that there, from the patches' convolution on,
nothing but the weights would be in fp32. Inside `fp32_kept`, on every device:

* LayerNorms take and give fp32;
* blocks take fp32, and so the residual stream, to which they add, is in fp32 from the first to the last.

The softmax (`core/kernels.py`), the cosine (`core/attention.py`), computed biases (`core/position.py`)
and the losses are in at least fp32 wherever they run. Weights are in fp32 always: autocast lowers copies of
them.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ..core.block import Block

KEPT = (nn.LayerNorm, Block)  # what takes its input in at least fp32


@contextmanager
def fp32_kept(model: nn.Module) -> Iterator[None]:
    """Keep the parts `KEPT` in fp32 while inside; afterwards the model is as before."""
    hooks = [part.register_forward_pre_hook(raised) for part in model.modules() if isinstance(part, KEPT)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def raised(_part: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
    """Convert the input of a part to at least fp32; fp32 and fp64 stay the very same tensor."""
    (x,) = inputs
    return (x.to(torch.promote_types(x.dtype, torch.float32)),)

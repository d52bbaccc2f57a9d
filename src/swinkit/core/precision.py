"""The device and the precision in which a module computes, and layers that compute in another precision."""

from itertools import chain

import torch
from torch import Tensor, nn
from torch.func import functional_call


def device_and_dtype_of(module: nn.Module) -> tuple[torch.device, torch.dtype]:
    """Return those of the module's first floating-point parameter or buffer.

    Without any they are the CPU and fp32, because a layer quantised by torch keeps its weights elsewhere and
    takes these.
    """
    tensors = chain(module.parameters(), module.buffers())
    first = next((tensor for tensor in tensors if tensor.is_floating_point()), None)
    return (torch.device("cpu"), torch.float32) if first is None else (first.device, first.dtype)


def apply_layer(layer: nn.Module, x: Tensor) -> Tensor:
    """Call a linear layer with its weights in the precision of `x`: (..., C) -> (..., D).

    It calls the module, so that hooks, parametrisations and wrappers such as LoRA's take part.
    """
    weights = dict(layer.named_parameters())
    if all(weight.dtype == x.dtype for weight in weights.values()):
        return layer(x)
    return functional_call(layer, {name: weight.to(x.dtype) for name, weight in weights.items()}, (x,))

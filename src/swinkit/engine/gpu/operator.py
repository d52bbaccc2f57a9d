"""`swinkit::window_attention`: the kernels as one operator of torch, with its gradient.

As an operator it is one node for `torch.compile` and `torch.export`. Of the layout it takes the sizes only,
which may be symbolic.

Shapes: B batch, *S grid size, N tokens in a window, H heads, D channels per head, C = H * D; G and P are
numbers of programs, as in `backward`.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from . import backward, forward
from .launch import Launch


@torch.library.custom_op("swinkit::window_attention", mutates_args=())
def window_attention(
    qkv: Tensor,
    padding: Tensor,
    bias: Tensor,
    temperature: Tensor | None,
    scale: float,
    window: Sequence[int],
    shift: Sequence[int],
    roll_first: bool,
) -> tuple[Tensor, Tensor]:
    """Attend: qkv (B, *S, 3 * C), padding (3 * C,), bias (H, N, N), temperature (H,) -> (B, *S, C), logsum.

    The second output, (B, H, prod(S)), is the logarithm of the sum of each query's exponentials, for the
    gradient. With a temperature the scores are cosines times it; without, products times `scale`.
    """
    launch = Launch.of((qkv, padding, bias, temperature), scale, window, shift, roll_first)
    out, logsum = new_outputs(qkv, bias)
    launch.run(forward.attend_windows, launch.config.strips, out, logsum)
    return out, logsum


@window_attention.register_fake
def fake_outputs(*inputs: Any) -> tuple[Tensor, Tensor]:
    """Return outputs of the right shapes, not filled."""
    qkv, _, bias = inputs[:3]
    return new_outputs(qkv, bias)


def new_outputs(qkv: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Return (B, *S, C) and (B, H, prod(S)), not filled."""
    batch, *grid, channels = qkv.shape
    logsum = qkv.new_empty(batch, bias.shape[0], math.prod(grid), dtype=torch.float32)
    return qkv.new_empty(batch, *grid, channels // 3), logsum


@torch.library.custom_op("swinkit::window_attention_backward", mutates_args=())
def window_attention_backward(
    d_out: Tensor,
    out: Tensor,
    logsum: Tensor,
    qkv: Tensor,
    padding: Tensor,
    bias: Tensor,
    temperature: Tensor | None,
    scale: float,
    window: Sequence[int],
    shift: Sequence[int],
    roll_first: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Compute the gradients of qkv, padding, bias and temperature (empty if there is none)."""
    launch = Launch.of((qkv, padding, bias, temperature), scale, window, shift, roll_first)
    d_qkv = qkv.new_empty(qkv.shape)
    differentiate = differentiate_whole if launch.config.strips == 1 else differentiate_strips
    sums = differentiate(launch, logsum, out, d_out.contiguous(), d_qkv)
    of_keys_and_values, d_bias, d_temperature = (x.sum(0) for x in sums)
    of_queries = torch.zeros_like(of_keys_and_values[:1])  # in the padding, where nobody reads their answers
    return (
        d_qkv,
        torch.cat([of_queries, of_keys_and_values]).flatten().to(padding.dtype),
        d_bias.to(bias.dtype),
        logsum.new_empty(0) if temperature is None else d_temperature.to(temperature.dtype),
    )


@window_attention_backward.register_fake
def fake_gradients(*inputs: Any) -> tuple[Tensor, ...]:
    """Return gradients of the right shapes, not filled."""
    logsum, *sources = inputs[2:7]
    return tuple(logsum.new_empty(0) if x is None else x.new_empty(x.shape) for x in sources)


def differentiate_whole(
    launch: Launch, logsum: Tensor, _: Tensor, d_out: Tensor, d_qkv: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Fill `d_qkv`; return the other gradients, in parts to be summed.

    They are (P, 2, H, D) of keys and values in the padding, (G, H, N, N) of the bias, (P, H) of temperatures.
    """
    programs = launch.programs("differentiate_window", 1)
    sums = launch.sums(programs, programs, programs)
    launch.run(backward.differentiate_window, 1, logsum, d_out, d_qkv, *sums)
    return sums


def differentiate_strips(
    launch: Launch, logsum: Tensor, out: Tensor, d_out: Tensor, d_qkv: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Do the same as `differentiate_whole` if a window has several strips."""
    strips = launch.config.strips
    d_padding, d_bias, d_temperature = sums = launch.sums(
        launch.programs("differentiate_keys", strips) * strips,
        launch.programs("differentiate_bias", strips**2),
        launch.programs("differentiate_queries", strips) * strips,
    )
    means = torch.empty_like(logsum)
    launch.run(backward.differentiate_queries, strips, logsum, out, d_out, d_qkv, means, d_temperature)
    launch.run(backward.differentiate_keys, strips, logsum, means, d_out, d_qkv, d_padding)
    launch.run(backward.differentiate_bias, strips**2, logsum, means, d_out, d_bias)
    return sums


def save_inputs(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    """Save for backward the inputs, the answer, and one number for each of its tokens and heads."""
    ctx.save_for_backward(*output, *inputs[:4])
    ctx.settings = inputs[4:]
    ctx.set_materialize_grads(False)


def compute_gradients(ctx: Any, d_out: Tensor, _: None) -> tuple[Tensor | None, ...]:
    """Return the gradient of every input of the operator; None for its settings."""
    *others, d_temperature = window_attention_backward(d_out, *ctx.saved_tensors, *ctx.settings)
    return (*others, d_temperature if d_temperature.numel() else None, *(None for _ in ctx.settings))


window_attention.register_autograd(compute_gradients, setup_context=save_inputs)

"""The fast twins of `core`: the same answers as each plain `forward`, in less time or memory.

Operations that run eagerly may look things up, keep results, and choose by size; there `twin` lets one of
these functions compute the `forward` that it decorates. Operations that are recorded or transformed, by
`torch.compile`, `torch.export`, tracing, `torch.func` or forward-mode differentiation, must depend on the
input alone; there the plain `forward` runs. `tests/core/test_fast.py` proves that both agree. Measured
gains: docs/performance.md.

Shapes: B batch, *S grid size, W windows, K kinds of windows, N tokens in a window, C channels, H heads.
"""

import math
from collections.abc import Callable, Hashable
from functools import partial, wraps
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from .. import kernels
from ..position import MLPBias, pairs
from ..qkv import KeylessBiasLinear
from ..spec import Size
from ..windows import RolledLayout
from .cache import LARGEST, cache_of
from .chunked_attention import attend_in_chunks
from .chunking import can_split_batch, run_in_chunks, run_in_token_chunks, run_in_token_chunks_with_gradients
from .recompute import recompute
from .torch_internals import has_hooks, is_eager
from .window_gather import WindowGather, kinds_of

Forward = TypeVar("Forward", bound=Callable[[Any, Tensor], Tensor])


def twin(fast: Callable[[Any, Tensor], Tensor]) -> Callable[[Forward], Forward]:
    """Let `fast` compute a `forward` where operations run eagerly; the original stays as `forward.plain`."""

    def decorate(plain: Forward) -> Forward:
        @wraps(plain)
        def forward(self: Any, x: Tensor) -> Tensor:
            return fast(self, x) if is_eager(x) else plain(self, x)

        decorated: Any = forward
        decorated.plain = plain
        return decorated

    return decorate


def stage(module: Any, x: Tensor) -> Tensor:
    """Run the blocks of a `Stage` on a few images at a time where the grid is large."""

    def run(x: Tensor) -> Tensor:
        for block in module.blocks:
            x = block(x)
        return x

    return run_in_chunks(module, run, x)


def recompute_with_gradients(
    make: Callable[[Tensor], Tensor], x: Tensor, use: Callable[[Tensor], Tensor]
) -> Tensor:
    """Compute `use(make(x))`; backward computes `make(x)` again, where there will be one."""
    return recompute(make, x, use) if torch.is_grad_enabled() else use(make(x))


def pre_norm_block(block: Any, x: Tensor) -> Tensor:
    """Run a `PreNormBlock`: norms are recomputed in backward, and the MLP takes a few tokens at a time."""

    def branch(x: Tensor) -> Tensor:
        return recompute_with_gradients(block.norm2, x, block.channel_mixer)

    def mix_channels(x: Tensor) -> Tensor:
        parts = block.norm2, block.channel_mixer
        return x + block.drop_path(run_in_token_chunks_with_gradients(parts, branch, x))

    x = x + block.drop_path(recompute_with_gradients(block.norm1, x, block.token_mixer))
    return run_in_token_chunks(block, mix_channels, x)


def post_norm_block(block: Any, x: Tensor) -> Tensor:
    """Run a `PostNormBlock`: the MLP takes a few tokens at a time."""

    def branch(x: Tensor) -> Tensor:
        return block.norm2(block.channel_mixer(x))

    def mix_channels(x: Tensor) -> Tensor:
        parts = block.channel_mixer, block.norm2
        return block.main_norm(x + block.drop_path(run_in_token_chunks_with_gradients(parts, branch, x)))

    x = x + block.drop_path(block.norm1(block.token_mixer(x)))
    return run_in_token_chunks(block, mix_channels, x)


def mlp(module: Any, x: Tensor) -> Tensor:
    """Run an `MLP` whose activation is recomputed in backward."""

    def project(hidden: Tensor) -> Tensor:
        return module.dropout(module.fc2(module.dropout(hidden)))

    return recompute_with_gradients(module.activation, module.fc1(x), project)


def absolute_position(position: Any, x: Tensor) -> Tensor:
    """Run an `AbsolutePosition` whose resized embedding is cached."""
    size, embedding = tuple(x.shape[1:-1]), position.embedding
    if size != embedding.shape[:-1]:
        embedding = cache_of(position).get(size, [embedding], partial(position.resize, size))
    return x + embedding.to(x.dtype)


def window_attention(attention: Any, x: Tensor) -> Tensor:
    """Run a `WindowAttention`: one gather cuts all windows, and one joins them; biases are cached.

    On a CPU and without gradients, long windows take a few at a time from tokens to tokens.
    """
    layout = attention.border(x.shape[1:-1], attention.window, attention.shift)
    windows = WindowGather(layout, attention.num_heads)
    if math.prod(layout.window) >= kernels.FUSED_FROM and can_split_batch(attention, x):
        parts = attention.qkv, attention.similarity, attention.proj
        offsets = offsets_of(attention, windows, x.device)
        return attention.dropout(attend_in_chunks(x, layout, attention.num_heads, offsets, parts))
    qkv = attention.qkv(x)
    q, k, v = windows.split(qkv, padding_of(attention, x, qkv.dtype, layout))
    q, k, scale = attention.similarity(q, k)
    dropout = attention.attention_dropout if attention.training else 0.0
    x = windows.attend(q, k, v, scale, offsets_of(attention, windows, x.device), dropout)
    return attention.dropout(attention.proj(windows.join(x)))


def padding_of(attention: Any, x: Tensor, dtype: torch.dtype, layout: RolledLayout) -> Tensor | None:
    """Return query, key and value of a token of zeros, (3 * C); None where nothing is padded.

    Of a linear layer it is the bias, since a product with zeros would read all weights again, which takes as
    long as the product of a small image.
    """
    if layout.padded == layout.grid:
        return None
    qkv = attention.qkv
    if type(qkv) in (nn.Linear, KeylessBiasLinear) and qkv.bias is not None:
        return qkv.bias.to(dtype)
    return qkv(x.new_zeros(1, x.shape[-1]))[0].to(dtype)


def offsets_of(attention: Any, windows: WindowGather, device: torch.device) -> Tensor:
    """Return bias plus mask for the scores of each kind of window, (K, H, N, N)."""
    layout = windows.layout

    def count_kinds() -> int:
        return len(kinds_of(layout, device).counts)

    return get_bias(attention, layout.window, layout, count_kinds, windows.offsets)


def get_bias(
    attention: Any, window: Size, key: Hashable, count: Callable[[], int], finish: Callable[[Tensor], Tensor]
) -> Tensor:
    """Return `finish(bias)` of windows of this size, from the cache under `key` unless it is in training.

    The result holds `count()` biases, (H, N, N). If it is too large for the cache, the cache keeps the rows
    of a computed bias instead.
    """
    bias, cache = attention.bias, cache_of(attention)
    # A bias in training may draw at random, and a hook sees every call.
    if attention.training or bias.training or any(map(has_hooks, bias.modules())):
        cache.clear()
        return finish(bias(window))
    weights = [*bias.parameters(), *bias.buffers()]
    if isinstance(bias, MLPBias) and count() * attention.num_heads * math.prod(window) ** 2 > LARGEST:
        return finish(pairs(cache.get(window, weights, partial(bias.rows, window))))
    return cache.get(key, weights, lambda: finish(bias(window)))

"""The forward kernel, which computes one head of a strip of queries against all keys of their window.

A program walks over windows, so that it reads the bias once for many windows if a strip holds a window.
Longer windows go by strips of keys, and the sums are rescaled whenever a larger score appears (online
softmax).

Shapes: B batch, S tokens of the grid, N tokens in a window, T tokens of a strip, L lanes, H heads,
D channels per head, C = H * D.
"""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportPossiblyUnboundVariable=false

import triton
import triton.language as tl

from .tiles import (
    compute_scores,
    find_rows,
    find_window,
    multiply,
    normalize,
    read_bias,
    read_qkv,
    write_tokens,
)


@triton.jit
def attend_windows(
    qkv,  # (B, S, 3 * C)
    padding,  # (3 * C,): the qkv of a token of padding
    bias,  # (H, N, N)
    temperature,  # (H,), replaces `scale` for the cosine
    out,  # (B, S, C)
    logsum,  # (B, H, S): log of the sum of each query's exponentials, for the backward
    windows,  # in all grids together
    grid,  # three sizes
    scale,
    config: tl.constexpr,
):
    """Attend within every window, from grid to grid."""
    head, first = tl.program_id(0) // config.strips, tl.program_id(0) % config.strips * config.strip
    if config.cosine:
        scale = tl.load(temperature + head)
    if config.strips == 1:
        kept = read_bias(bias, head, 0, 0, config)
    for number in range(tl.program_id(1), windows, tl.num_programs(1)):
        first_row, size, window = find_window(number, grid, config)
        source = qkv + first_row * (3 * config.heads * config.width)
        rows = find_rows(window, first, grid, config)
        q, _ = normalize(read_qkv(source, padding, rows, 0, head, config), config)
        highest = tl.full([config.strip], float("-inf"), tl.float32)
        total = tl.full([config.strip], 0.0, tl.float32)
        mixed = tl.full([config.strip, config.lanes], 0.0, tl.float32)
        for key_first in range(0, config.tokens, config.strip):
            key_rows = find_rows(window, key_first, grid, config)
            k, _ = normalize(read_qkv(source, padding, key_rows, 1, head, config), config)
            v = read_qkv(source, padding, key_rows, 2, head, config)
            offset = kept if config.strips == 1 else read_bias(bias, head, first, key_first, config)
            scores = compute_scores(
                q.to(v.dtype), k.to(v.dtype), scale, offset, window, first, key_first, grid, config
            )
            higher = tl.maximum(highest, tl.max(scores, 1))
            weights = tl.exp(scores - higher[:, None])
            shrink = tl.exp(highest - higher)
            total = total * shrink + tl.sum(weights, 1)
            mixed = mixed * shrink[:, None] + multiply(weights.to(v.dtype), v)
            highest = higher
        target = out + first_row * (config.heads * config.width)
        write_tokens(target, mixed / total[:, None], rows, 0, 1, head, config)
        target = logsum + first_row * config.heads + head * size
        tl.store(target + rows, highest + tl.log(total), mask=rows >= 0)

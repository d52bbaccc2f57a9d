"""The forward kernel: one head of a strip of queries against all keys of their window.

A program walks over windows, so that the bias is read once for many where a strip holds a window. Longer
windows go by strips of keys, and the sums are shrunk whenever a larger score appears (online softmax).

Shapes: B batch, S tokens of the grid, N tokens in a window, T tokens of a strip, L lanes, H heads,
D channels per head, C = H * D.
"""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportPossiblyUnboundVariable=false

import triton
import triton.language as tl

from .tiles import comparable, compare, find, locate, product, read_bias, read_qkv, write


@triton.jit
def attend(
    qkv,  # (B, S, 3 * C)
    padding,  # (3 * C,): what a token of padding has in the place of qkv
    bias,  # (H, N, N)
    temperature,  # (H,), takes the place of `scale` for the cosine
    out,  # (B, S, C)
    logsum,  # (B, H, S): log of the sum of each query's exponentials, for the backward
    windows,  # in all grids together
    grid,  # three sizes
    scale,
    plan: tl.constexpr,
):
    """Attention in every window, from the natural layout to the natural layout."""
    head, first = tl.program_id(0) // plan.strips, tl.program_id(0) % plan.strips * plan.strip
    if plan.cosine:
        scale = tl.load(temperature + head)
    if plan.strips == 1:
        kept = read_bias(bias, head, 0, 0, plan)
    for number in range(tl.program_id(1), windows, tl.num_programs(1)):
        first_row, size, window = find(number, grid, plan)
        source = qkv + first_row * (3 * plan.heads * plan.width)
        rows = locate(window, first, grid, plan)
        q, _ = comparable(read_qkv(source, padding, rows, 0, head, plan), plan)
        highest = tl.full([plan.strip], float("-inf"), tl.float32)
        total = tl.full([plan.strip], 0.0, tl.float32)
        mixed = tl.full([plan.strip, plan.lanes], 0.0, tl.float32)
        for key_first in range(0, plan.tokens, plan.strip):
            key_rows = locate(window, key_first, grid, plan)
            k, _ = comparable(read_qkv(source, padding, key_rows, 1, head, plan), plan)
            v = read_qkv(source, padding, key_rows, 2, head, plan)
            offset = kept if plan.strips == 1 else read_bias(bias, head, first, key_first, plan)
            scores = compare(
                q.to(v.dtype), k.to(v.dtype), scale, offset, window, first, key_first, grid, plan
            )
            higher = tl.maximum(highest, tl.max(scores, 1))
            weights = tl.exp(scores - higher[:, None])
            shrink = tl.exp(highest - higher)
            total = total * shrink + tl.sum(weights, 1)
            mixed = mixed * shrink[:, None] + product(weights.to(v.dtype), v)
            highest = higher
        target = out + first_row * (plan.heads * plan.width)
        write(target, mixed / total[:, None], rows, 0, 1, head, plan)
        target = logsum + first_row * plan.heads + head * size
        tl.store(target + rows, highest + tl.log(total), mask=rows >= 0)

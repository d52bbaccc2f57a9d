"""The backward kernels. The scores are computed again, from one number a query that the forward has kept.

Where one strip holds a window, `whole` gets everything from one look at it. Longer windows are looked at
three times: strip by strip of queries, then of keys, then of both for the bias.

What many windows add up to (the gradients of bias, padding and temperature) each program gathers over the
windows that it walks over, and torch sums it over the programs: no atomics, the same bits every time.

Shapes: B batch, S tokens of the grid, N tokens in a window, T tokens of a strip, L lanes, H heads,
D channels per head, C = H * D, G programs that share out the windows, P = G * strips in a window.
"""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false

import triton
import triton.language as tl

from .tiles import (
    before_comparable,
    comparable,
    compare,
    find,
    locate,
    pairs,
    product,
    read,
    read_bias,
    read_qkv,
    write,
)


@triton.jit
def read_keys(qkv, padding, first_row, rows, head, plan: tl.constexpr):
    """Keys as they are compared (T, L), 1 / their lengths (T,), values (T, L)."""
    source = qkv + first_row * (3 * plan.heads * plan.width)
    k, inverse = comparable(read_qkv(source, padding, rows, 1, head, plan), plan)
    return k, inverse, read_qkv(source, padding, rows, 2, head, plan)


@triton.jit
def read_queries(qkv, padding, logsum, d_out, first_row, size, rows, head, plan: tl.constexpr):
    """Queries as they are compared (T, L), 1 / their lengths (T,), `logsum` (T,), `d_out` (T, L).

    For a query that is none, or padding, `logsum` is infinite, so that all its weights are zero.
    """
    source = qkv + first_row * (3 * plan.heads * plan.width)
    q, inverse = comparable(read_qkv(source, padding, rows, 0, head, plan), plan)
    addresses = first_row * plan.heads + head * size + rows
    known = tl.load(logsum + addresses, mask=rows >= 0, other=float("inf"))
    return q, inverse, known, read(d_out + first_row * (plan.heads * plan.width), rows, 0, 1, head, plan)


@triton.jit
def recall(q, k, v, known, d_out, scale, bias, window, first, key_first, grid, plan: tl.constexpr):
    """(T, T) twice: the weights of the forward, and what `d_out` asks of them."""
    scores = compare(q.to(v.dtype), k.to(v.dtype), scale, bias, window, first, key_first, grid, plan)
    return tl.exp(scores - known[:, None]), product(d_out, tl.trans(v))


@triton.jit
def of_padding(gradient, rows):
    """(T, L) -> (L,): the sum over tokens of padding; of those beyond the window, `gradient` is zero."""
    return tl.sum(tl.where((rows < 0)[:, None], gradient, 0.0), 0)


@triton.jit
def write_padding(d_padding, d_k, d_v, program, head, plan: tl.constexpr):
    """Two (L,) -> (P, 2, H, D)."""
    lane = tl.arange(0, plan.lanes)
    addresses = (program * 2 * plan.heads + head) * plan.width + lane
    tl.store(d_padding + addresses, d_k, mask=lane < plan.width)
    tl.store(d_padding + addresses + plan.heads * plan.width, d_v, mask=lane < plan.width)


@triton.jit
def whole(
    qkv,  # (B, S, 3 * C), and so on as in `forward.attend`
    padding,
    bias,
    temperature,
    logsum,
    d_out,  # (B, S, C)
    d_qkv,  # (B, S, 3 * C)
    d_padding,  # (P, 2, H, D): of keys and values; a query of padding has no effect
    d_bias,  # (G, H, N, N)
    d_temperature,  # (P, H)
    windows,
    grid,
    scale,
    plan: tl.constexpr,
):
    """All gradients, where one strip holds a window."""
    head, program = tl.program_id(0), tl.program_id(1)
    if plan.cosine:
        scale = tl.load(temperature + head)
    offset = read_bias(bias, head, 0, 0, plan)
    sum_bias = tl.full([plan.strip, plan.strip], 0.0, tl.float32)
    sum_k = tl.full([plan.lanes], 0.0, tl.float32)
    sum_v = tl.full([plan.lanes], 0.0, tl.float32)
    sum_temperature = tl.full([plan.strip], 0.0, tl.float32)
    for number in range(program, windows, tl.num_programs(1)):
        first_row, size, window = find(number, grid, plan)
        rows = locate(window, 0, grid, plan)
        q, q_inverse, known, d = read_queries(qkv, padding, logsum, d_out, first_row, size, rows, head, plan)
        k, k_inverse, v = read_keys(qkv, padding, first_row, rows, head, plan)
        weights, asked = recall(q, k, v, known, d, scale, offset, window, 0, 0, grid, plan)
        d_scores = weights * (asked - tl.sum(weights * asked, 1)[:, None])
        sum_bias += d_scores
        low = d_scores.to(v.dtype)
        d_q = product(low, k.to(v.dtype))
        d_k = product(tl.trans(low), q.to(v.dtype)) * scale
        d_v = product(tl.trans(weights.to(v.dtype)), d)
        if plan.cosine:
            sum_temperature += tl.sum(q * d_q, 1)
        d_k = before_comparable(d_k, k, k_inverse, plan)
        if plan.padded:
            sum_k += of_padding(d_k, rows)
            sum_v += of_padding(d_v, rows)
        target = d_qkv + first_row * (3 * plan.heads * plan.width)
        write(target, before_comparable(d_q * scale, q, q_inverse, plan), rows, 0, 3, head, plan)
        write(target, d_k, rows, 1, 3, head, plan)
        write(target, d_v, rows, 2, 3, head, plan)
    where, there = pairs(head, 0, 0, plan)
    tl.store(d_bias + program * (plan.heads * plan.tokens * plan.tokens) + where, sum_bias, mask=there)
    if plan.padded:
        write_padding(d_padding, sum_k, sum_v, program, head, plan)
    if plan.cosine:
        tl.store(d_temperature + program * plan.heads + head, tl.sum(sum_temperature, 0))


@triton.jit
def queries(
    qkv,
    padding,
    bias,
    temperature,
    logsum,
    out,
    d_out,
    d_qkv,  # its first third is written
    means,  # (B, H, S): what is asked of a query's weights, on average; written, for the other two
    d_temperature,
    windows,
    grid,
    scale,
    plan: tl.constexpr,
):
    """The gradient of a strip of queries, and of the temperature."""
    head, first = tl.program_id(0) // plan.strips, tl.program_id(0) % plan.strips * plan.strip
    if plan.cosine:
        scale = tl.load(temperature + head)
    sum_temperature = tl.full([plan.strip], 0.0, tl.float32)
    for number in range(tl.program_id(1), windows, tl.num_programs(1)):
        first_row, size, window = find(number, grid, plan)
        rows = locate(window, first, grid, plan)
        q, inverse, known, d = read_queries(qkv, padding, logsum, d_out, first_row, size, rows, head, plan)
        o = read(out + first_row * (plan.heads * plan.width), rows, 0, 1, head, plan)
        mean = tl.sum(o.to(tl.float32) * d.to(tl.float32), 1)
        tl.store(means + first_row * plan.heads + head * size + rows, mean, mask=rows >= 0)
        d_q = tl.full([plan.strip, plan.lanes], 0.0, tl.float32)
        for key_first in range(0, plan.tokens, plan.strip):
            key_rows = locate(window, key_first, grid, plan)
            k, _, v = read_keys(qkv, padding, first_row, key_rows, head, plan)
            offset = read_bias(bias, head, first, key_first, plan)
            weights, asked = recall(q, k, v, known, d, scale, offset, window, first, key_first, grid, plan)
            low = (weights * (asked - mean[:, None])).to(v.dtype)
            d_q += product(low, k.to(v.dtype))
        if plan.cosine:
            sum_temperature += tl.sum(q * d_q, 1)
        target = d_qkv + first_row * (3 * plan.heads * plan.width)
        write(target, before_comparable(d_q * scale, q, inverse, plan), rows, 0, 3, head, plan)
    if plan.cosine:
        program = tl.program_id(1) * plan.strips + tl.program_id(0) % plan.strips
        tl.store(d_temperature + program * plan.heads + head, tl.sum(sum_temperature, 0))


@triton.jit
def keys(
    qkv,
    padding,
    bias,
    temperature,
    logsum,
    means,
    d_out,
    d_qkv,  # its other two thirds are written
    d_padding,
    windows,
    grid,
    scale,
    plan: tl.constexpr,
):
    """The gradients of a strip of keys and values, and of the padding's."""
    head, key_first = tl.program_id(0) // plan.strips, tl.program_id(0) % plan.strips * plan.strip
    if plan.cosine:
        scale = tl.load(temperature + head)
    sum_k = tl.full([plan.lanes], 0.0, tl.float32)
    sum_v = tl.full([plan.lanes], 0.0, tl.float32)
    for number in range(tl.program_id(1), windows, tl.num_programs(1)):
        first_row, size, window = find(number, grid, plan)
        key_rows = locate(window, key_first, grid, plan)
        k, inverse, v = read_keys(qkv, padding, first_row, key_rows, head, plan)
        d_k = tl.full([plan.strip, plan.lanes], 0.0, tl.float32)
        d_v = tl.full([plan.strip, plan.lanes], 0.0, tl.float32)
        for first in range(0, plan.tokens, plan.strip):
            rows = locate(window, first, grid, plan)
            q, _, known, d = read_queries(qkv, padding, logsum, d_out, first_row, size, rows, head, plan)
            mean = tl.load(means + first_row * plan.heads + head * size + rows, mask=rows >= 0, other=0.0)
            offset = read_bias(bias, head, first, key_first, plan)
            weights, asked = recall(q, k, v, known, d, scale, offset, window, first, key_first, grid, plan)
            low = (weights * (asked - mean[:, None])).to(v.dtype)
            d_k += product(tl.trans(low), q.to(v.dtype))
            d_v += product(tl.trans(weights.to(v.dtype)), d)
        d_k = before_comparable(d_k * scale, k, inverse, plan)
        if plan.padded:
            sum_k += of_padding(d_k, key_rows)
            sum_v += of_padding(d_v, key_rows)
        target = d_qkv + first_row * (3 * plan.heads * plan.width)
        write(target, d_k, key_rows, 1, 3, head, plan)
        write(target, d_v, key_rows, 2, 3, head, plan)
    if plan.padded:
        program = tl.program_id(1) * plan.strips + tl.program_id(0) % plan.strips
        write_padding(d_padding, sum_k, sum_v, program, head, plan)


@triton.jit
def biases(
    qkv,
    padding,
    bias,
    temperature,
    logsum,
    means,
    d_out,
    d_bias,
    windows,
    grid,
    scale,
    plan: tl.constexpr,
):
    """The gradient of the bias between a strip of queries and one of keys."""
    head, pair = (
        tl.program_id(0) // (plan.strips * plan.strips),
        tl.program_id(0) % (plan.strips * plan.strips),
    )
    first, key_first = pair // plan.strips * plan.strip, pair % plan.strips * plan.strip
    if plan.cosine:
        scale = tl.load(temperature + head)
    offset = read_bias(bias, head, first, key_first, plan)
    sum_bias = tl.full([plan.strip, plan.strip], 0.0, tl.float32)
    for number in range(tl.program_id(1), windows, tl.num_programs(1)):
        first_row, size, window = find(number, grid, plan)
        rows = locate(window, first, grid, plan)
        key_rows = locate(window, key_first, grid, plan)
        q, _, known, d = read_queries(qkv, padding, logsum, d_out, first_row, size, rows, head, plan)
        k, _, v = read_keys(qkv, padding, first_row, key_rows, head, plan)
        mean = tl.load(means + first_row * plan.heads + head * size + rows, mask=rows >= 0, other=0.0)
        weights, asked = recall(q, k, v, known, d, scale, offset, window, first, key_first, grid, plan)
        sum_bias += weights * (asked - mean[:, None])
    where, there = pairs(head, first, key_first, plan)
    target = d_bias + tl.program_id(1) * (plan.heads * plan.tokens * plan.tokens)
    tl.store(target + where, sum_bias, mask=there)

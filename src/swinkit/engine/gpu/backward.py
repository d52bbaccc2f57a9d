"""The backward kernels, which recompute the scores from one number per query that the forward saved.

If one strip holds a window, `differentiate_window` computes all gradients in one pass over it. Longer windows
take three passes: strip by strip of queries, then of keys, then of both for the bias.

Each program sums the gradients of bias, padding and temperature over its own windows, and torch sums over the
programs. There are no atomics, so the bits are the same every time.

Shapes: B batch, S tokens of the grid, N tokens in a window, T tokens of a strip, L lanes, H heads,
D channels per head, C = H * D, G programs that share out the windows, P = G * strips in a window.
"""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false

import triton
import triton.language as tl

from .tiles import (
    address_pairs,
    compute_scores,
    find_rows,
    find_window,
    multiply,
    normalize,
    normalize_backward,
    read_bias,
    read_qkv,
    read_tokens,
    write_tokens,
)


@triton.jit
def read_keys(qkv, padding, first_row, rows, head, config: tl.constexpr):
    """Read keys as they are compared, (T, L), 1 / their lengths, (T,), and values, (T, L)."""
    source = qkv + first_row * (3 * config.heads * config.width)
    k, inverse = normalize(read_qkv(source, padding, rows, 1, head, config), config)
    return k, inverse, read_qkv(source, padding, rows, 2, head, config)


@triton.jit
def read_queries(qkv, padding, logsum, d_out, first_row, size, rows, head, config: tl.constexpr):
    """Read queries as compared, (T, L), 1 / their lengths, (T,), `logsum`, (T,), and `d_out`, (T, L).

    `logsum` is infinite for padding and beyond the window, so that all weights there are zero.
    """
    source = qkv + first_row * (3 * config.heads * config.width)
    q, inverse = normalize(read_qkv(source, padding, rows, 0, head, config), config)
    addresses = first_row * config.heads + head * size + rows
    known = tl.load(logsum + addresses, mask=rows >= 0, other=float("inf"))
    return (
        q,
        inverse,
        known,
        read_tokens(d_out + first_row * (config.heads * config.width), rows, 0, 1, head, config),
    )


@triton.jit
def recompute_weights(
    q, k, v, known, d_out, scale, bias, window, first, key_first, grid, config: tl.constexpr
):
    """Recompute the forward's weights, (T, T), and their gradient from `d_out`, (T, T)."""
    scores = compute_scores(q.to(v.dtype), k.to(v.dtype), scale, bias, window, first, key_first, grid, config)
    return tl.exp(scores - known[:, None]), multiply(d_out, tl.trans(v))


@triton.jit
def sum_padding(gradient, rows):
    """Sum over tokens of padding: (T, L) -> (L,). Beyond the window `gradient` is zero."""
    return tl.sum(tl.where((rows < 0)[:, None], gradient, 0.0), 0)


@triton.jit
def write_padding(d_padding, d_k, d_v, program, head, config: tl.constexpr):
    """Write the gradients of keys and values in the padding: two (L,) -> (P, 2, H, D)."""
    lane = tl.arange(0, config.lanes)
    addresses = (program * 2 * config.heads + head) * config.width + lane
    tl.store(d_padding + addresses, d_k, mask=lane < config.width)
    tl.store(d_padding + addresses + config.heads * config.width, d_v, mask=lane < config.width)


@triton.jit
def differentiate_window(
    qkv,  # (B, S, 3 * C), and so on as in `forward.attend_windows`
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
    config: tl.constexpr,
):
    """Compute all gradients, if one strip holds a window."""
    head, program = tl.program_id(0), tl.program_id(1)
    if config.cosine:
        scale = tl.load(temperature + head)
    offset = read_bias(bias, head, 0, 0, config)
    sum_bias = tl.full([config.strip, config.strip], 0.0, tl.float32)
    sum_k = tl.full([config.lanes], 0.0, tl.float32)
    sum_v = tl.full([config.lanes], 0.0, tl.float32)
    sum_temperature = tl.full([config.strip], 0.0, tl.float32)
    for number in range(program, windows, tl.num_programs(1)):
        first_row, size, window = find_window(number, grid, config)
        rows = find_rows(window, 0, grid, config)
        q, q_inverse, known, d = read_queries(
            qkv, padding, logsum, d_out, first_row, size, rows, head, config
        )
        k, k_inverse, v = read_keys(qkv, padding, first_row, rows, head, config)
        weights, asked = recompute_weights(q, k, v, known, d, scale, offset, window, 0, 0, grid, config)
        d_scores = weights * (asked - tl.sum(weights * asked, 1)[:, None])
        sum_bias += d_scores
        low = d_scores.to(v.dtype)
        d_q = multiply(low, k.to(v.dtype))
        d_k = multiply(tl.trans(low), q.to(v.dtype)) * scale
        d_v = multiply(tl.trans(weights.to(v.dtype)), d)
        if config.cosine:
            sum_temperature += tl.sum(q * d_q, 1)
        d_k = normalize_backward(d_k, k, k_inverse, config)
        if config.padded:
            sum_k += sum_padding(d_k, rows)
            sum_v += sum_padding(d_v, rows)
        target = d_qkv + first_row * (3 * config.heads * config.width)
        write_tokens(target, normalize_backward(d_q * scale, q, q_inverse, config), rows, 0, 3, head, config)
        write_tokens(target, d_k, rows, 1, 3, head, config)
        write_tokens(target, d_v, rows, 2, 3, head, config)
    where, there = address_pairs(head, 0, 0, config)
    tl.store(d_bias + program * (config.heads * config.tokens * config.tokens) + where, sum_bias, mask=there)
    if config.padded:
        write_padding(d_padding, sum_k, sum_v, program, head, config)
    if config.cosine:
        tl.store(d_temperature + program * config.heads + head, tl.sum(sum_temperature, 0))


@triton.jit
def differentiate_queries(
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
    config: tl.constexpr,
):
    """Compute the gradient of a strip of queries, and of the temperature."""
    head, first = tl.program_id(0) // config.strips, tl.program_id(0) % config.strips * config.strip
    if config.cosine:
        scale = tl.load(temperature + head)
    sum_temperature = tl.full([config.strip], 0.0, tl.float32)
    for number in range(tl.program_id(1), windows, tl.num_programs(1)):
        first_row, size, window = find_window(number, grid, config)
        rows = find_rows(window, first, grid, config)
        q, inverse, known, d = read_queries(qkv, padding, logsum, d_out, first_row, size, rows, head, config)
        o = read_tokens(out + first_row * (config.heads * config.width), rows, 0, 1, head, config)
        mean = tl.sum(o.to(tl.float32) * d.to(tl.float32), 1)
        tl.store(means + first_row * config.heads + head * size + rows, mean, mask=rows >= 0)
        d_q = tl.full([config.strip, config.lanes], 0.0, tl.float32)
        for key_first in range(0, config.tokens, config.strip):
            key_rows = find_rows(window, key_first, grid, config)
            k, _, v = read_keys(qkv, padding, first_row, key_rows, head, config)
            offset = read_bias(bias, head, first, key_first, config)
            weights, asked = recompute_weights(
                q, k, v, known, d, scale, offset, window, first, key_first, grid, config
            )
            low = (weights * (asked - mean[:, None])).to(v.dtype)
            d_q += multiply(low, k.to(v.dtype))
        if config.cosine:
            sum_temperature += tl.sum(q * d_q, 1)
        target = d_qkv + first_row * (3 * config.heads * config.width)
        write_tokens(target, normalize_backward(d_q * scale, q, inverse, config), rows, 0, 3, head, config)
    if config.cosine:
        program = tl.program_id(1) * config.strips + tl.program_id(0) % config.strips
        tl.store(d_temperature + program * config.heads + head, tl.sum(sum_temperature, 0))


@triton.jit
def differentiate_keys(
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
    config: tl.constexpr,
):
    """Compute the gradients of a strip of keys and values, and of the padding."""
    head, key_first = tl.program_id(0) // config.strips, tl.program_id(0) % config.strips * config.strip
    if config.cosine:
        scale = tl.load(temperature + head)
    sum_k = tl.full([config.lanes], 0.0, tl.float32)
    sum_v = tl.full([config.lanes], 0.0, tl.float32)
    for number in range(tl.program_id(1), windows, tl.num_programs(1)):
        first_row, size, window = find_window(number, grid, config)
        key_rows = find_rows(window, key_first, grid, config)
        k, inverse, v = read_keys(qkv, padding, first_row, key_rows, head, config)
        d_k = tl.full([config.strip, config.lanes], 0.0, tl.float32)
        d_v = tl.full([config.strip, config.lanes], 0.0, tl.float32)
        for first in range(0, config.tokens, config.strip):
            rows = find_rows(window, first, grid, config)
            q, _, known, d = read_queries(qkv, padding, logsum, d_out, first_row, size, rows, head, config)
            mean = tl.load(means + first_row * config.heads + head * size + rows, mask=rows >= 0, other=0.0)
            offset = read_bias(bias, head, first, key_first, config)
            weights, asked = recompute_weights(
                q, k, v, known, d, scale, offset, window, first, key_first, grid, config
            )
            low = (weights * (asked - mean[:, None])).to(v.dtype)
            d_k += multiply(tl.trans(low), q.to(v.dtype))
            d_v += multiply(tl.trans(weights.to(v.dtype)), d)
        d_k = normalize_backward(d_k * scale, k, inverse, config)
        if config.padded:
            sum_k += sum_padding(d_k, key_rows)
            sum_v += sum_padding(d_v, key_rows)
        target = d_qkv + first_row * (3 * config.heads * config.width)
        write_tokens(target, d_k, key_rows, 1, 3, head, config)
        write_tokens(target, d_v, key_rows, 2, 3, head, config)
    if config.padded:
        program = tl.program_id(1) * config.strips + tl.program_id(0) % config.strips
        write_padding(d_padding, sum_k, sum_v, program, head, config)


@triton.jit
def differentiate_bias(
    qkv, padding, bias, temperature, logsum, means, d_out, d_bias, windows, grid, scale, config: tl.constexpr
):
    """Compute the gradient of the bias between a strip of queries and one of keys."""
    head, pair = (
        tl.program_id(0) // (config.strips * config.strips),
        tl.program_id(0) % (config.strips * config.strips),
    )
    first, key_first = pair // config.strips * config.strip, pair % config.strips * config.strip
    if config.cosine:
        scale = tl.load(temperature + head)
    offset = read_bias(bias, head, first, key_first, config)
    sum_bias = tl.full([config.strip, config.strip], 0.0, tl.float32)
    for number in range(tl.program_id(1), windows, tl.num_programs(1)):
        first_row, size, window = find_window(number, grid, config)
        rows = find_rows(window, first, grid, config)
        key_rows = find_rows(window, key_first, grid, config)
        q, _, known, d = read_queries(qkv, padding, logsum, d_out, first_row, size, rows, head, config)
        k, _, v = read_keys(qkv, padding, first_row, key_rows, head, config)
        mean = tl.load(means + first_row * config.heads + head * size + rows, mask=rows >= 0, other=0.0)
        weights, asked = recompute_weights(
            q, k, v, known, d, scale, offset, window, first, key_first, grid, config
        )
        sum_bias += weights * (asked - mean[:, None])
    where, there = address_pairs(head, first, key_first, config)
    target = d_bias + tl.program_id(1) * (config.heads * config.tokens * config.tokens)
    tl.store(target + where, sum_bias, mask=there)

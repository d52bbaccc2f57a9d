"""Device functions of the kernels: the tokens of a window, reading and writing them, and their scores.

The grid is not copied: a strip of a window's tokens is read from, and written to, its rows of the grid, which
follow by the arithmetic of `core/windows.py`. So shift and padding cost a few integers per token.
Every grid has three axes here; an image is a clip of one frame.

Shapes: B batch, S tokens of the grid, N tokens in a window, T tokens of a strip, H heads, D channels per
head, L lanes: D rounded up to a power of two.
"""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false

import triton
import triton.language as tl

MASKED = tl.constexpr(-100.0)  # as in `core/windows.py`
TINY = tl.constexpr(1e-12)  # a shorter vector counts as this long, as in torch


@triton.jit
def find_window(number, grid, config: tl.constexpr):
    """Return, for a window of all grids, the first row of its grid, the rows of a grid, and its place."""
    deep, down = tl.cdiv(grid[0], config.window[0]), tl.cdiv(grid[1], config.window[1])
    across = tl.cdiv(grid[2], config.window[2])
    size = grid[0] * grid[1] * grid[2]
    first_row = (number // (deep * down * across)).to(tl.int64) * size
    return first_row, size, (number // (down * across) % deep, number // across % down, number % across)


@triton.jit
def place_tokens(first, config: tl.constexpr):
    """Return the places of tokens `first` to `first + T` in a window, along three axes."""
    index = first + tl.arange(0, config.strip)
    row: tl.constexpr = config.window[2]
    frame: tl.constexpr = config.window[1] * config.window[2]
    return index // frame, index // row % config.window[1], index % row


@triton.jit
def find_source_token(coordinate, size, window: tl.constexpr, shift: tl.constexpr, roll_first: tl.constexpr):
    """Return, along one axis, the place in the grid of a token of the arranged grid, and if it exists."""
    rolled = size if roll_first else tl.cdiv(size, window) * window
    source = coordinate + shift
    source = tl.where(source >= rolled, source - rolled, source)
    return source, (coordinate if roll_first else source) < size


@triton.jit
def find_rows(window, first, grid, config: tl.constexpr):
    """Return the rows of the grid, (T,), of tokens `first` to `first + T` of a window; -1 for padding."""
    t, y, x = place_tokens(first, config)
    present = t < config.window[0]
    t, t_there = find_source_token(
        window[0] * config.window[0] + t, grid[0], config.window[0], config.shift[0], config.roll_first
    )
    y, y_there = find_source_token(
        window[1] * config.window[1] + y, grid[1], config.window[1], config.shift[1], config.roll_first
    )
    x, x_there = find_source_token(
        window[2] * config.window[2] + x, grid[2], config.window[2], config.shift[2], config.roll_first
    )
    return tl.where(present & t_there & y_there & x_there, (t * grid[1] + y) * grid[2] + x, -1)


@triton.jit
def find_sides(window, first, grid, config: tl.constexpr):
    """Return one bit per axis, (T,), of tokens that the roll brought round from the other end of the grid.

    They are the last of the last window, because a shift is shorter than a window. Two tokens attend to each
    other only if their bits agree.
    """
    t, y, x = place_tokens(first, config)
    late_t = (t >= config.window[0] - config.shift[0]).to(tl.int32)
    late_y = (y >= config.window[1] - config.shift[1]).to(tl.int32)
    late_x = (x >= config.window[2] - config.shift[2]).to(tl.int32)
    last_t = (window[0] == tl.cdiv(grid[0], config.window[0]) - 1).to(tl.int32)
    last_y = (window[1] == tl.cdiv(grid[1], config.window[1]) - 1).to(tl.int32)
    last_x = (window[2] == tl.cdiv(grid[2], config.window[2]) - 1).to(tl.int32)
    return (late_t * 4 + late_y * 2 + late_x) & (last_t * 4 + last_y * 2 + last_x)


@triton.jit
def address_tokens(rows, part, parts: tl.constexpr, head, config: tl.constexpr):
    """Return addresses, (T, L), in (S, parts, H, D), and whether they exist, given rows, (T,)."""
    lane = tl.arange(0, config.lanes)
    start = (part * config.heads + head) * config.width
    addresses = rows[:, None] * (parts * config.heads * config.width) + start + lane[None, :]
    return addresses, (rows >= 0)[:, None] & (lane < config.width)[None, :]


@triton.jit
def read_tokens(x, rows, part, parts: tl.constexpr, head, config: tl.constexpr):
    """Read a part of the tokens at `rows`, of one head: (S, parts, H, D) -> (T, L); zeros for padding."""
    where, there = address_tokens(rows, part, parts, head, config)
    return tl.load(x + where, mask=there, other=0.0)


@triton.jit
def read_qkv(qkv, padding, rows, part, head, config: tl.constexpr):
    """Read queries, keys or values of one head: (S, 3, H, D) -> (T, L); those of padding for padding."""
    x = read_tokens(qkv, rows, part, 3, head, config)
    if config.padded:
        lane = tl.arange(0, config.lanes)
        start = (part * config.heads + head) * config.width
        empty = tl.load(padding + start + lane, mask=lane < config.width, other=0.0)
        x = tl.where((rows < 0)[:, None], empty[None, :], x)
    return x


@triton.jit
def write_tokens(target, x, rows, part, parts: tl.constexpr, head, config: tl.constexpr):
    """Write as the inverse of `read_tokens`; padding is dropped."""
    where, there = address_tokens(rows, part, parts, head, config)
    tl.store(target + where, x.to(target.dtype.element_ty), mask=there)


@triton.jit
def address_pairs(head, first, key_first, config: tl.constexpr):
    """Return addresses, (T, T), in (H, N, N) of a strip of queries and one of keys, and if they exist."""
    query = first + tl.arange(0, config.strip)[:, None]
    key = key_first + tl.arange(0, config.strip)[None, :]
    return (head * config.tokens + query) * config.tokens + key, (query < config.tokens) & (
        key < config.tokens
    )


@triton.jit
def read_bias(bias, head, first, key_first, config: tl.constexpr):
    """Read a bias in fp32: (H, N, N) -> (T, T); minus infinity where there is no key."""
    where, there = address_pairs(head, first, key_first, config)
    key = key_first + tl.arange(0, config.strip)[None, :]
    x = tl.load(bias + where, mask=there, other=0.0).to(tl.float32)
    return tl.where(key < config.tokens, x, float("-inf"))


@triton.jit
def multiply(a, b):
    """Multiply two matrices, in fp32, and never in TF32."""
    return tl.dot(a, b, input_precision="ieee")


@triton.jit
def compute_scores(q, k, scale, bias, window, first, key_first, grid, config: tl.constexpr):
    """Compute the scores of a strip of queries with one of keys, (T, T), in fp32."""
    scores = multiply(q, tl.trans(k)) * scale + bias
    if config.shifted:
        side, key_side = find_sides(window, first, grid, config), find_sides(window, key_first, grid, config)
        scores += tl.where(side[:, None] == key_side[None, :], 0.0, MASKED)
    return scores


@triton.jit
def normalize(x, config: tl.constexpr):
    """Normalise queries or keys, (T, L), for the cosine, in fp32; return them and 1 / length, (T,)."""
    inverse = tl.full([config.strip], 1.0, tl.float32)
    if config.cosine:
        x = x.to(tl.float32)
        inverse = 1.0 / tl.maximum(tl.sqrt(tl.sum(x * x, 1)), TINY)
        x = x * inverse[:, None]
    return x, inverse


@triton.jit
def normalize_backward(gradient, x, inverse, config: tl.constexpr):
    """Compute the gradient of `normalize`'s input from that of its output, `x`."""
    if config.cosine:
        gradient = (gradient - x * tl.sum(x * gradient, 1)[:, None]) * inverse[:, None]
    return gradient

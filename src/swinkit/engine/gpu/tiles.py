"""How a kernel finds the tokens of a window, reads them, and turns them into scores.

The grid stays as it is: a strip of a window's tokens is read from, and written to, the rows of the grid at
which they lie, by the arithmetic of `core/windows.py`. So shift and padding cost a few integers a token.
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
def find(number, grid, plan: tl.constexpr):
    """A window of all grids -> the first row of its grid, rows of a grid, and where in the grid it is."""
    deep, down = tl.cdiv(grid[0], plan.window[0]), tl.cdiv(grid[1], plan.window[1])
    across = tl.cdiv(grid[2], plan.window[2])
    size = grid[0] * grid[1] * grid[2]
    first_row = (number // (deep * down * across)).to(tl.int64) * size
    return first_row, size, (number // (down * across) % deep, number // across % down, number % across)


@triton.jit
def inside(first, plan: tl.constexpr):
    """Tokens `first` to `first + T` of a window -> where in it they are, along three axes."""
    index = first + tl.arange(0, plan.strip)
    row: tl.constexpr = plan.window[2]
    frame: tl.constexpr = plan.window[1] * plan.window[2]
    return index // frame, index // row % plan.window[1], index % row


@triton.jit
def along(coordinate, size, window: tl.constexpr, shift: tl.constexpr, roll_first: tl.constexpr):
    """One axis of the arranged grid -> of the grid itself: where a token is, and whether it is there."""
    rolled = size if roll_first else tl.cdiv(size, window) * window
    source = coordinate + shift
    source = tl.where(source >= rolled, source - rolled, source)
    return source, (coordinate if roll_first else source) < size


@triton.jit
def locate(window, first, grid, plan: tl.constexpr):
    """Tokens `first` to `first + T` of a window -> (T,) rows of the grid, -1 where there is none."""
    t, y, x = inside(first, plan)
    present = t < plan.window[0]
    t, t_there = along(
        window[0] * plan.window[0] + t, grid[0], plan.window[0], plan.shift[0], plan.roll_first
    )
    y, y_there = along(
        window[1] * plan.window[1] + y, grid[1], plan.window[1], plan.shift[1], plan.roll_first
    )
    x, x_there = along(
        window[2] * plan.window[2] + x, grid[2], plan.window[2], plan.shift[2], plan.roll_first
    )
    return tl.where(present & t_there & y_there & x_there, (t * grid[1] + y) * grid[2] + x, -1)


@triton.jit
def sides(window, first, grid, plan: tl.constexpr):
    """(T,): a bit per axis for tokens that the roll brought round from the other end of the grid.

    They are the last of the last window, as a shift is shorter than a window. Two tokens see each other iff
    their sides agree.
    """
    t, y, x = inside(first, plan)
    late_t = (t >= plan.window[0] - plan.shift[0]).to(tl.int32)
    late_y = (y >= plan.window[1] - plan.shift[1]).to(tl.int32)
    late_x = (x >= plan.window[2] - plan.shift[2]).to(tl.int32)
    last_t = (window[0] == tl.cdiv(grid[0], plan.window[0]) - 1).to(tl.int32)
    last_y = (window[1] == tl.cdiv(grid[1], plan.window[1]) - 1).to(tl.int32)
    last_x = (window[2] == tl.cdiv(grid[2], plan.window[2]) - 1).to(tl.int32)
    return (late_t * 4 + late_y * 2 + late_x) & (last_t * 4 + last_y * 2 + last_x)


@triton.jit
def addresses(rows, part, parts: tl.constexpr, head, plan: tl.constexpr):
    """(T,) rows of (S, parts, H, D) -> (T, L) addresses in it, and whether there is one."""
    lane = tl.arange(0, plan.lanes)
    start = (part * plan.heads + head) * plan.width
    addresses = rows[:, None] * (parts * plan.heads * plan.width) + start + lane[None, :]
    return addresses, (rows >= 0)[:, None] & (lane < plan.width)[None, :]


@triton.jit
def read(x, rows, part, parts: tl.constexpr, head, plan: tl.constexpr):
    """(S, parts, H, D) -> (T, L): a part of the tokens at `rows`, of one head; zeros where there is none."""
    where, there = addresses(rows, part, parts, head, plan)
    return tl.load(x + where, mask=there, other=0.0)


@triton.jit
def read_qkv(qkv, padding, rows, part, head, plan: tl.constexpr):
    """(S, 3, H, D) -> (T, L): the queries, keys or values of one head; those of padding where none are."""
    x = read(qkv, rows, part, 3, head, plan)
    if plan.padded:
        lane = tl.arange(0, plan.lanes)
        start = (part * plan.heads + head) * plan.width
        empty = tl.load(padding + start + lane, mask=lane < plan.width, other=0.0)
        x = tl.where((rows < 0)[:, None], empty[None, :], x)
    return x


@triton.jit
def write(target, x, rows, part, parts: tl.constexpr, head, plan: tl.constexpr):
    """The inverse of `read`; what lies in the padding is dropped."""
    where, there = addresses(rows, part, parts, head, plan)
    tl.store(target + where, x.to(target.dtype.element_ty), mask=there)


@triton.jit
def pairs(head, first, key_first, plan: tl.constexpr):
    """(T, T) addresses in (H, N, N) of a strip of queries and one of keys, and whether there is one."""
    query = first + tl.arange(0, plan.strip)[:, None]
    key = key_first + tl.arange(0, plan.strip)[None, :]
    return (head * plan.tokens + query) * plan.tokens + key, (query < plan.tokens) & (key < plan.tokens)


@triton.jit
def read_bias(bias, head, first, key_first, plan: tl.constexpr):
    """(H, N, N) -> (T, T), in fp32; minus infinity where there is no key."""
    where, there = pairs(head, first, key_first, plan)
    key = key_first + tl.arange(0, plan.strip)[None, :]
    x = tl.load(bias + where, mask=there, other=0.0).to(tl.float32)
    return tl.where(key < plan.tokens, x, float("-inf"))


@triton.jit
def product(a, b):
    """Of two matrices, in fp32; of fp32 in full, never in TF32."""
    return tl.dot(a, b, input_precision="ieee")


@triton.jit
def compare(q, k, scale, bias, window, first, key_first, grid, plan: tl.constexpr):
    """(T, T): the scores of a strip of queries with one of keys, in fp32."""
    scores = product(q, tl.trans(k)) * scale + bias
    if plan.shifted:
        side, key_side = sides(window, first, grid, plan), sides(window, key_first, grid, plan)
        scores += tl.where(side[:, None] == key_side[None, :], 0.0, MASKED)
    return scores


@triton.jit
def comparable(x, plan: tl.constexpr):
    """(T, L) queries or keys -> as they are compared (by cosine: in fp32, of length 1), (T,) 1 / length."""
    inverse = tl.full([plan.strip], 1.0, tl.float32)
    if plan.cosine:
        x = x.to(tl.float32)
        inverse = 1.0 / tl.maximum(tl.sqrt(tl.sum(x * x, 1)), TINY)
        x = x * inverse[:, None]
    return x, inverse


@triton.jit
def before_comparable(gradient, x, inverse, plan: tl.constexpr):
    """The gradient of what came out of `comparable`, `x` and `inverse` -> of what went in."""
    if plan.cosine:
        gradient = (gradient - x * tl.sum(x * gradient, 1)[:, None]) * inverse[:, None]
    return gradient

"""The weights of a block as native code wants them: in panels, with what can be computed ahead folded in.

Folded: V1's norms, whose affine part goes into the product behind them (W (g * x + b) = (W g) x + W b), and
the scale of the dot product, into the queries. In float64, then rounded once.

Shapes: C channels, H heads, D = C / H, N tokens in a window, O columns, K depth of a product.
"""

from typing import cast

import torch
from torch import Tensor, nn

from ...core.attention import WindowAttention
from ...core.block import Block, PostNormBlock
from ...core.mlp import MLP
from ...core.similarity import ScaledCosine, ScaledDot
from ...core.spec import Size
from . import library
from .huge_pages import Pages
from .library import Shape
from .windows import widened

NEVER = -1e30  # the bias of a key that is none: it only fills up a vector


class Kept(list[Tensor]):
    """Tensors that a structure points to, and that must live as long as it; they lie in `pages`."""

    def __init__(self, pages: Pages):
        super().__init__()
        self.pages = pages

    def address(self, tensor: Tensor) -> int:
        """Where `tensor` lies in fp32, for as long as this lives."""
        self.append(self.pages.copy_of(tensor))
        return self[-1].data_ptr()


@torch.no_grad()
def packed_block(block: Block, shape: Shape, pages: Pages) -> tuple[library.Block, Kept]:
    """Everything of a block that does not depend on the grid."""
    native, kept = library.Block(), Kept(pages)
    post = isinstance(block, PostNormBlock)
    mixer, mlp = block.token_mixer, block.channel_mixer
    assert isinstance(mixer, WindowAttention)
    assert isinstance(mlp, MLP)
    native.attention = heads(kept, mixer, None if post else block.norm1, shape)
    native.projection = linear(kept, *weights(mixer.proj), shape)
    native.expand = linear(kept, *folded(*weights(mlp.fc1), None if post else block.norm2), shape)
    native.shrink = linear(kept, *weights(mlp.fc2), shape, depth=native.expand.weight.columns)
    native.before_attention, native.after_attention = sides(kept, block.norm1, after=post)
    native.before_mlp, native.after_mlp = sides(kept, block.norm2, after=post)
    main = block.main_norm if isinstance(block, PostNormBlock) else None
    native.after_block = norm(kept, main if isinstance(main, nn.LayerNorm) else None)
    return native, kept


def sides(kept: Kept, layer: nn.LayerNorm, *, after: bool) -> tuple[library.Norm, library.Norm]:
    """A branch's norm before it, whose affine part is folded, and after it; there is one of them."""
    none = norm(kept, None)
    return (none, norm(kept, layer)) if after else (library.Norm(None, None, layer.eps), none)


def norm(kept: Kept, layer: nn.LayerNorm | None) -> library.Norm:
    """A norm with its affine part; None for one that is not there."""
    if layer is None:
        return library.Norm(None, None, library.ABSENT)
    return library.Norm(kept.address(layer.weight), kept.address(layer.bias), layer.eps)


def weights(layer: nn.Module) -> tuple[Tensor, Tensor]:
    """(O, K) and (O) in float64; a bias that is not there is zero."""
    weight = cast("Tensor", layer.weight)
    bias = weight.new_zeros(len(weight)) if layer.bias is None else cast("Tensor", layer.bias)
    return weight.double(), bias.double()


def folded(weight: Tensor, bias: Tensor, layer: nn.LayerNorm | None) -> tuple[Tensor, Tensor]:
    """(O, K) and (O) for inputs that are normed, but lack the affine part of `layer`."""
    if layer is None:
        return weight, bias
    return weight * layer.weight.double(), bias + weight @ layer.bias.double()


def linear(
    kept: Kept, weight: Tensor, bias: Tensor, shape: Shape, *, depth: int | None = None
) -> library.Linear:
    """(O, K) and (O), with rows of zeros up to `depth`."""
    if depth is not None:
        weight = widened(weight, depth, 0.0)
    data, columns = panels(weight, shape), round_up(len(weight), shape.lanes)
    return library.Linear(
        library.Panels(kept.address(data), weight.shape[1], columns),
        kept.address(widened(bias, shape.lanes, 0.0)),
    )


def panels(weight: Tensor, shape: Shape) -> Tensor:
    """(O, K) -> flat: panels of neighbouring columns, the last as narrow as whole vectors allow."""
    columns = widened(weight.T.float(), shape.lanes, 0.0)  # K, O
    return torch.cat([part.flatten() for part in columns.split(shape.panel, dim=1)])


def heads(
    kept: Kept, attention: WindowAttention, before: nn.LayerNorm | None, shape: Shape
) -> library.Attention:
    """q, k and v of groups of heads: columns [q | k | v] of the group's heads, filled up with zeros."""
    weight, plain = weights(attention.qkv)
    number, channels = attention.num_heads, weight.shape[1]
    width = channels // number
    similarity, scale = attention.similarity, None
    if isinstance(similarity, ScaledCosine):
        scale = kept.address(similarity.temperature(torch.float64).flatten())
    elif isinstance(similarity, ScaledDot):
        factors = weight.new_ones(3 * channels)
        factors[:channels] = width**-0.5 if similarity.scale is None else similarity.scale
        weight, plain = weight * factors[:, None], plain * factors
    weight, bias = folded(weight, plain, before)
    group = group_size(number, width, shape.lanes)

    def grouped(rows: Tensor) -> list[Tensor]:
        parts = rows.unflatten(0, (3, number, width)).split(group, dim=1)
        parts = [part.flatten(0, 2) for part in parts]  # the last group may have fewer heads
        full = round_up(3 * group * width, shape.lanes)
        return [short(part, 3, group * width, full) for part in parts]

    return library.Attention(
        weight=kept.address(torch.cat([panels(part, shape) for part in grouped(weight)])),
        bias=kept.address(torch.cat(grouped(bias))),
        padding=kept.address(torch.cat(grouped(plain))),
        scale=scale,
        heads=number,
        group=group,
    )


def short(rows: Tensor, sections: int, section: int, full: int) -> Tensor:
    """(sections * n, ...) -> (full, ...): each section filled up to `section` rows with zeros, then all."""
    filled = rows.new_zeros(full, *rows.shape[1:])
    for i, part in enumerate(rows.unflatten(0, (sections, -1))):
        filled[i * section : i * section + len(part)] = part
    return filled


def group_size(number: int, width: int, lanes: int) -> int:
    """Heads whose q, k and v are computed together: the fewest that waste the least of their last vector."""
    sizes = range(1, min(number, 8) + 1)
    return min(sizes, key=lambda n: round_up(3 * n * width, lanes) * -(-number // n))


@torch.no_grad()
def offsets(attention: WindowAttention, window: Size, shape: Shape) -> Tensor:
    """(H, N, columns): the position bias in windows of this size."""
    return widened(attention.bias(window).float(), shape.lanes, NEVER)


@torch.no_grad()
def packed_reduction(
    before: nn.LayerNorm | None, layer: nn.Module, after: nn.LayerNorm | None, shape: Shape
) -> tuple[library.Reduction, Kept]:
    """A norm, a product and a norm, of which the first and the last may be missing; all but the table.

    `layer` is a linear one, or a convolution whose patches do not overlap.
    """
    native, kept = library.Reduction(), Kept(Pages())
    weight, bias = weights(layer)
    native.before = norm(kept, None) if before is None else library.Norm(None, None, before.eps)
    native.linear = linear(kept, *folded(weight.flatten(1), bias, before), shape)
    native.after = norm(kept, after)
    return native, kept


def round_up(number: int, multiple: int) -> int:
    """The smallest multiple that is no less."""
    return -(-number // multiple) * multiple

"""Packed weights of a block for native code: panels, with constant factors folded in.

Folded are the affine parts of V1's norms, into the product behind them (W (g * x + b) = (W g) x + W b), and
the scale of the dot product, into the queries. This is computed in float64 and rounded once.

Shapes: C channels, H heads, D = C / H, N tokens in a window, O columns, K depth of a product.
"""

from typing import cast

import torch
from torch import Tensor, nn

from ...core.attention import ScaledCosine, ScaledDot, WindowAttention
from ...core.block import MLP, Block, PostNormBlock
from ...core.spec import Size
from . import library
from .huge_pages import HugePages
from .library import Shape
from .windows import widen

NEVER = -1e30  # the bias of a key that only fills up a vector


class PackedTensors(list[Tensor]):
    """Tensors in `pages` that a structure points to, and that must live as long as the structure."""

    def __init__(self, pages: HugePages):
        super().__init__()
        self.pages = pages

    def address(self, tensor: Tensor) -> int:
        """Copy a tensor in fp32; return its address, valid for as long as this lives."""
        self.append(self.pages.copy(tensor))
        return self[-1].data_ptr()


@torch.no_grad()
def pack_block(block: Block, shape: Shape, pages: HugePages) -> tuple[library.Block, PackedTensors]:
    """Pack everything of a block that does not depend on the grid."""
    native, tensors = library.Block(), PackedTensors(pages)
    post = isinstance(block, PostNormBlock)
    mixer, mlp = block.token_mixer, block.channel_mixer
    assert isinstance(mixer, WindowAttention)
    assert isinstance(mlp, MLP)
    native.attention = pack_heads(tensors, mixer, None if post else block.norm1, shape)
    native.projection = pack_linear(tensors, *weights_of(mixer.proj), shape)
    native.expand = pack_linear(
        tensors, *fold_norm(*weights_of(mlp.fc1), None if post else block.norm2), shape
    )
    native.shrink = pack_linear(tensors, *weights_of(mlp.fc2), shape, depth=native.expand.weight.columns)
    native.before_attention, native.after_attention = pack_branch_norms(tensors, block.norm1, after=post)
    native.before_mlp, native.after_mlp = pack_branch_norms(tensors, block.norm2, after=post)
    main = block.main_norm if isinstance(block, PostNormBlock) else None
    native.after_block = pack_norm(tensors, main if isinstance(main, nn.LayerNorm) else None)
    return native, tensors


def pack_branch_norms(
    tensors: PackedTensors, layer: nn.LayerNorm, *, after: bool
) -> tuple[library.Norm, library.Norm]:
    """Pack a branch's only norm: before the branch, with its affine part folded elsewhere, or after it."""
    none = pack_norm(tensors, None)
    return (none, pack_norm(tensors, layer)) if after else (library.Norm(None, None, layer.eps), none)


def pack_norm(tensors: PackedTensors, layer: nn.LayerNorm | None) -> library.Norm:
    """Pack a norm with its affine part; None is an absent norm."""
    if layer is None:
        return library.Norm(None, None, library.ABSENT)
    return library.Norm(tensors.address(layer.weight), tensors.address(layer.bias), layer.eps)


def weights_of(layer: nn.Module) -> tuple[Tensor, Tensor]:
    """Return weight, (O, K), and bias, (O), in float64; an absent bias is zero."""
    weight = cast("Tensor", layer.weight)
    bias = weight.new_zeros(len(weight)) if layer.bias is None else cast("Tensor", layer.bias)
    return weight.double(), bias.double()


def fold_norm(weight: Tensor, bias: Tensor, layer: nn.LayerNorm | None) -> tuple[Tensor, Tensor]:
    """Fold the affine part of a norm into the product behind it: (O, K) and (O) -> the same."""
    if layer is None:
        return weight, bias
    return weight * layer.weight.double(), bias + weight @ layer.bias.double()


def pack_linear(
    tensors: PackedTensors, weight: Tensor, bias: Tensor, shape: Shape, *, depth: int | None = None
) -> library.Linear:
    """Pack a product, (O, K) and (O), with rows of zeros up to `depth`."""
    if depth is not None:
        weight = widen(weight, depth, 0.0)
    data, columns = cut_panels(weight, shape), ceil_to_multiple(len(weight), shape.lanes)
    return library.Linear(
        library.Panels(tensors.address(data), weight.shape[1], columns),
        tensors.address(widen(bias, shape.lanes, 0.0)),
    )


def cut_panels(weight: Tensor, shape: Shape) -> Tensor:
    """Cut (O, K) into panels of neighbouring columns, the last as narrow as whole vectors allow; flat."""
    columns = widen(weight.T.float(), shape.lanes, 0.0)  # K, O
    return torch.cat([part.flatten() for part in columns.split(shape.panel, dim=1)])


def pack_heads(
    tensors: PackedTensors, attention: WindowAttention, before: nn.LayerNorm | None, shape: Shape
) -> library.Attention:
    """Pack q, k and v of groups of heads: columns [q | k | v] of each group, filled up with zeros."""
    weight, plain = weights_of(attention.qkv)
    number, channels = attention.num_heads, weight.shape[1]
    width = channels // number
    similarity, scale = attention.similarity, None
    if isinstance(similarity, ScaledCosine):
        scale = tensors.address(similarity.temperature(torch.float64).flatten())
    elif isinstance(similarity, ScaledDot):
        factors = weight.new_ones(3 * channels)
        factors[:channels] = width**-0.5 if similarity.scale is None else similarity.scale
        weight, plain = weight * factors[:, None], plain * factors
    weight, bias = fold_norm(weight, plain, before)
    group = group_size(number, width, shape.lanes)

    def grouped(rows: Tensor) -> list[Tensor]:
        parts = rows.unflatten(0, (3, number, width)).split(group, dim=1)
        parts = [part.flatten(0, 2) for part in parts]  # the last group may have fewer heads
        full = ceil_to_multiple(3 * group * width, shape.lanes)
        return [fill_sections(part, 3, group * width, full) for part in parts]

    return library.Attention(
        weight=tensors.address(torch.cat([cut_panels(part, shape) for part in grouped(weight)])),
        bias=tensors.address(torch.cat(grouped(bias))),
        padding=tensors.address(torch.cat(grouped(plain))),
        scale=scale,
        heads=number,
        group=group,
    )


def fill_sections(rows: Tensor, sections: int, section: int, full: int) -> Tensor:
    """Fill each section up to `section` rows with zeros, then all: (sections * n, ...) -> (full, ...)."""
    filled = rows.new_zeros(full, *rows.shape[1:])
    for i, part in enumerate(rows.unflatten(0, (sections, -1))):
        filled[i * section : i * section + len(part)] = part
    return filled


def group_size(number: int, width: int, lanes: int) -> int:
    """Return the number of heads whose q, k and v are computed together: the least wasteful of vectors."""
    sizes = range(1, min(number, 8) + 1)
    return min(sizes, key=lambda n: ceil_to_multiple(3 * n * width, lanes) * -(-number // n))


@torch.no_grad()
def pack_bias(attention: WindowAttention, window: Size, shape: Shape) -> Tensor:
    """Pack the position bias in windows of this size, (H, N, columns)."""
    return widen(attention.bias(window).float(), shape.lanes, NEVER)


@torch.no_grad()
def pack_reduction(
    before: nn.LayerNorm | None, layer: nn.Module, after: nn.LayerNorm | None, shape: Shape
) -> tuple[library.Reduction, PackedTensors]:
    """Pack a norm, a product and a norm, without the table. Both norms may be absent.

    `layer` is a linear one, or a convolution whose patches do not overlap.
    """
    native, tensors = library.Reduction(), PackedTensors(HugePages())
    weight, bias = weights_of(layer)
    native.before = pack_norm(tensors, None) if before is None else library.Norm(None, None, before.eps)
    native.linear = pack_linear(tensors, *fold_norm(weight.flatten(1), bias, before), shape)
    native.after = pack_norm(tensors, after)
    return native, tensors


def ceil_to_multiple(number: int, multiple: int) -> int:
    """Return the smallest multiple of `multiple` that is no less than `number`."""
    return -(-number // multiple) * multiple

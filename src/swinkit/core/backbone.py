"""The pyramid: patches, then stages of blocks, each stage on a coarser grid than the last.

Shapes: B batch, *P size in pixels, *S grid size, C channels.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from .absolute_position import AbsolutePosition
from .block import Block
from .fast import forwards as fast
from .patches import PatchEmbed
from .precision import device_and_dtype_of
from .spec import BlockSpec, Size, Spec, block_specs


class Stage(nn.Module):
    """Blocks on one grid, and the merge to the next, coarser grid."""

    def __init__(self, blocks: Sequence[Block], merge: nn.Module | None):
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.merge = merge  # to the next stage's grid; None in the last stage

    @fast.twin(fast.stage)
    def forward(self, x: Tensor) -> Tensor:
        """Apply the blocks in turn, without `merge`: (B, *S, C) -> (B, *S, C)."""
        for block in self.blocks:
            x = block(x)
        return x


class Swin(nn.Module):
    """A Swin backbone: (B, in_channels, *P) -> the (B, *S, C) features of each stage, finest first.

    It takes any size, square or not. `spec` holds the numbers it was built from; `spec.widths` and
    `spec.strides` describe the features.
    """

    def __init__(self, spec: Spec, embed: PatchEmbed, stages: Sequence[Stage]):
        super().__init__()
        self.spec = spec
        self.embed = embed
        grid = spec.absolute_grid
        self.position = nn.Identity() if grid is None else AbsolutePosition(grid, spec.embed_dim)
        self.dropout = nn.Dropout(spec.dropout)
        self.stages = nn.ModuleList(stages)

    def layers(self) -> Iterator[list[nn.Module]]:
        """Yield the modules of each depth: patches and positions, then a block with the merge behind it."""
        yield [self.embed, self.position]
        for stage in cast("Iterable[Stage]", self.stages):
            blocks: list[list[nn.Module]] = [[block] for block in stage.blocks]
            if stage.merge is not None:
                blocks[-1].append(stage.merge)
            yield from blocks

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """Compute the features of each stage: (B, in_channels, *P) -> [(B, *S, C), ...], finest first.

        Raises:
            ValueError: `pixels` has another number of axes or channels than the model.
            TypeError: `pixels` has another type than the weights.
        """
        return self.encode(self.embed_patches(pixels))

    def embed_patches(self, pixels: Tensor) -> Tensor:
        """Embed patches: (B, in_channels, *P) -> (B, *S, C).

        Raises:
            ValueError: `pixels` has another number of axes or channels than the model.
            TypeError: `pixels` has another type than the weights.
        """
        axes, channels = len(self.spec.patch), self.spec.in_channels
        if pixels.ndim != axes + 2 or pixels.shape[1] != channels:
            raise ValueError(
                f"expected pixels of shape (batch, {channels} channels, {axes} axes of pixels), "
                f"got {tuple(pixels.shape)}; {advise_on_shape(self.spec, tuple(pixels.shape))}"
            )
        try:
            return self.embed(pixels)
        except RuntimeError:
            expected = device_and_dtype_of(self.embed)[1]
            if pixels.dtype == expected:
                raise
            raise TypeError(
                f"expected pixels of {expected}, as the weights are, got {pixels.dtype}; "
                f"{advise_on_type(pixels.dtype, expected)}"
            ) from None

    def encode(self, x: Tensor) -> list[Tensor]:
        """Compute the features of each stage from patches: (B, *S, C) -> [(B, *S, C), ...], finest first.

        It is apart from `forward` so that SimMIM can mask patches.
        """
        x = self.dropout(self.position(x))
        features = []
        for stage in cast("Iterable[Stage]", self.stages):
            x = stage(x)
            features.append(x)
            if stage.merge is not None:
                x = stage.merge(x)
        return features


def advise_on_shape(spec: Spec, shape: Size) -> str:
    """Return the remedy for pixels of a shape that a model does not take."""
    axes, channels = len(spec.patch), spec.in_channels
    if len(shape) == axes + 1 and shape[0] == channels:
        return "add the axis of the batch, by pixels[None]"
    if len(shape) != axes + 2:
        inputs = {2: "pictures: height and width", 3: "clips or volumes: frames, height and width"}
        return f"the model takes {inputs.get(axes, f'{axes} axes')}"
    if shape[-1] == channels:
        return "the channels come second, by pixels.movedim(-1, 1)"
    return f"build the model with in_channels={shape[1]} for other channels"


def advise_on_type(given: torch.dtype, expected: torch.dtype) -> str:
    """Return the remedy for pixels of a type that a model does not take."""
    convert = f"convert them by pixels.to({expected})"
    return convert if given.is_floating_point else f"normalise them, or at least {convert}"


def assemble(
    spec: Spec, make_block: Callable[[BlockSpec], Block], merge: Callable[[int, Size], nn.Module]
) -> Swin:
    """Build the pyramid of `spec` from a family's blocks and merges."""
    stages = []
    for row in block_specs(spec):
        last = len(stages) == len(spec.depths) - 1
        blocks = [make_block(block) for block in row]
        stages.append(Stage(blocks, None if last else merge(spec.widths[len(stages)], spec.merge)))
    norm = nn.LayerNorm(spec.embed_dim) if spec.patch_norm else nn.Identity()
    return Swin(spec, PatchEmbed(spec.patch, spec.in_channels, spec.embed_dim, norm=norm), stages)

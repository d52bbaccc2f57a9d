"""Parameters and multiply-adds of a Swin from its numbers alone; tests compare with the built modules.

Torch-free. The rule of the multiply-adds, which meets the papers' "FLOPs": matrix products only (patch
convolution, qkv, the two products of attention, projection, MLP, merging, classifier), on grids padded
to whole windows. Norms, softmax and activations are left out, and so is V2's bias MLP, which depends on
the weights and not on the image.
"""

from math import prod

from ..core.spec import Place, Size, Spec, places
from .families import SpecV2

BIAS_HIDDEN = 512  # of V2's bias MLP


def num_parameters(spec: Spec, num_classes: int = 0) -> int:
    """Of the backbone, and of norm and classifier if there are classes."""
    dim, width = spec.embed_dim, spec.widths[-1]
    embed = dim * (prod(spec.patch) * spec.in_channels + 1) + 2 * dim * spec.patch_norm
    if spec.absolute_grid is not None:
        embed += dim * prod(spec.absolute_grid)
    blocks = sum(block_parameters(spec, place) for row in places(spec) for place in row)
    folded = prod(spec.merge)
    normed = 2 if isinstance(spec, SpecV2) else folded  # V2 norms after the reduction
    merges = sum(2 * c * folded * c + 2 * c * normed for c in spec.widths[:-1])
    head = 2 * width + (width + 1) * num_classes if num_classes else 0
    return embed + blocks + merges + head


def block_parameters(spec: Spec, place: Place) -> int:
    """Of one block."""
    c, heads, hidden = place.dim, place.num_heads, place.hidden
    if isinstance(spec, SpecV2):
        biased, temperatures = 2, heads  # of q, k and v, those with a bias
        bias = (len(place.window) + 1) * BIAS_HIDDEN + BIAS_HIDDEN * heads + temperatures
    else:
        biased = 3
        bias = heads * prod(2 * w - 1 for w in place.window)
    attention = 3 * c * c + biased * spec.qkv_bias * c + bias + c * c + c
    return attention + 2 * c * hidden + hidden + c + 4 * c


def num_macs(spec: Spec, size: Size, num_classes: int = 0) -> int:
    """Multiply-adds for one input of `size` pixels, by the rule above."""
    grid = ceil_div(size, spec.patch)
    total = prod(grid) * prod(spec.patch) * spec.in_channels * spec.embed_dim
    for row in places(spec):
        c = row[0].dim
        for place in row:
            window = tuple(map(min, grid, place.window))
            tokens = prod(window) * prod(ceil_div(grid, window))  # padding included
            total += tokens * (4 * c * c + 2 * prod(window) * c) + prod(grid) * 2 * c * place.hidden
        if row[0].stage < len(spec.depths) - 1:
            grid = ceil_div(grid, spec.merge)
            total += prod(grid) * prod(spec.merge) * c * 2 * c
    return total + spec.widths[-1] * num_classes


def ceil_div(size: Size, by: Size) -> Size:
    """Rounded up, per axis."""
    return tuple(-(-s // b) for s, b in zip(size, by, strict=True))

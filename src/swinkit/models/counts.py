"""Parameters and multiply-adds of a Swin, counted from its numbers; tests compare with the built modules.

Torch-free. Multiply-adds are counted as the papers count "FLOPs": matrix products only (patch
convolution, qkv, the two products of attention, projection, or Swin-MLP's mixing; MLP, or a token's router
and experts; merging, classifier), on grids padded to whole windows. Norms, softmax and activations are left
out, and so are the MLPs that compute biases, which depend on the weights and not on the image.
"""

from math import prod

from ..core.spec import BlockSpec, Size, Spec, block_specs
from .families import SpecContinuous, SpecCR, SpecMLP, SpecMoE, SpecV2

BIAS_HIDDEN = 512  # channels of the MLP that computes the bias, in V2 and Swin-MoE
BIAS_HIDDEN_CR = 384  # the same in V2-CR


def num_parameters(spec: Spec, num_classes: int = 0) -> int:
    """Count the parameters of the backbone, and of norm and classifier if there are classes."""
    dim, width = spec.embed_dim, spec.widths[-1]
    embed = dim * (prod(spec.patch) * spec.in_channels + 1) + 2 * dim * spec.patch_norm
    if spec.absolute_grid is not None:
        embed += dim * prod(spec.absolute_grid)
    blocks = sum(block_parameters(spec, block) for row in block_specs(spec) for block in row)
    folded = prod(spec.merge)
    normed = 2 if isinstance(spec, SpecV2) else folded  # V2 norms after the reduction
    merges = sum(2 * c * folded * c + 2 * c * normed for c in spec.widths[:-1])
    head = 2 * width + (width + 1) * num_classes if num_classes else 0
    return embed + blocks + merges + head


def block_parameters(spec: Spec, block: BlockSpec) -> int:
    """Count the parameters of one block."""
    norms = 4 * block.dim
    if isinstance(spec, SpecV2 | SpecCR):
        norms += 2 * block.dim * spec.has_main_norm(block)
    return token_mixer_parameters(spec, block) + channel_mixer_parameters(spec, block) + norms


def token_mixer_parameters(spec: Spec, block: BlockSpec) -> int:
    """Count the parameters of attention, or of Swin-MLP's mixing."""
    c, heads = block.dim, block.num_heads
    if isinstance(spec, SpecMLP):
        tokens = prod(block.window)
        return heads * tokens * (tokens + 1)
    biased = 2 if isinstance(spec, SpecV2) else 3  # of q, k and v, those with a bias
    return 3 * c * c + biased * spec.qkv_bias * c + c * c + c + bias_parameters(spec, block)


def bias_parameters(spec: Spec, block: BlockSpec) -> int:
    """Count the parameters of the relative bias and of the temperatures of cosine similarity."""
    axes, heads = len(block.window), block.num_heads
    if isinstance(spec, SpecCR):
        return (axes + 1) * BIAS_HIDDEN_CR + (BIAS_HIDDEN_CR + 1) * heads + heads
    if isinstance(spec, SpecContinuous):
        return (axes + 1) * BIAS_HIDDEN + BIAS_HIDDEN * heads + isinstance(spec, SpecV2) * heads
    return heads * prod(2 * w - 1 for w in block.window)


def channel_mixer_parameters(spec: Spec, block: BlockSpec) -> int:
    """Count the parameters of the MLP, or of the router and all experts."""
    c, hidden = block.dim, block.hidden
    if not isinstance(spec, SpecMoE):
        return 2 * c * hidden + hidden + c
    unbiased = 2 * c * hidden + hidden
    if block.index not in spec.moe_blocks[block.stage]:
        return unbiased + c * spec.mlp_output_bias
    temperature_and_bias = 1 + spec.router_dim
    router = router_macs(spec, c) + (temperature_and_bias if spec.router == "cosine" else 0)
    return router + spec.num_experts * (unbiased + c * spec.has_expert_bias)


def router_macs(spec: SpecMoE, dim: int) -> int:
    """Count the router's multiply-adds for one token, which equal the weights of its products."""
    if spec.router == "cosine":
        return dim * spec.router_dim + spec.router_dim * spec.num_experts
    return dim * spec.num_experts


def num_macs(spec: Spec, size: Size, num_classes: int = 0) -> int:
    """Count the multiply-adds for one input of `size` pixels, by the rule above."""
    grid = ceil_div(size, spec.patch)
    total = prod(grid) * prod(spec.patch) * spec.in_channels * spec.embed_dim
    for row in block_specs(spec):
        c = row[0].dim
        total += sum(token_mixer_macs(spec, block, grid) for block in row)
        total += sum(prod(grid) * channel_mixer_macs(spec, block) for block in row)
        if row[0].stage < len(spec.depths) - 1:
            grid = ceil_div(grid, spec.merge)
            total += prod(grid) * prod(spec.merge) * c * 2 * c
    return total + spec.widths[-1] * num_classes


def token_mixer_macs(spec: Spec, block: BlockSpec, grid: Size) -> int:
    """Count the token mixer's multiply-adds for a whole grid, with its padding."""
    c = block.dim
    if isinstance(spec, SpecMLP):
        sides = zip(grid, block.window, block.shift, strict=True)
        zeros = [w - s if s and g > w else 0 for g, w, s in sides]  # Swin-MLP pads in order to shift
        windows = ceil_div(tuple(g + z for g, z in zip(grid, zeros, strict=True)), block.window)
        return prod(windows) * prod(block.window) ** 2 * c
    window = tuple(map(min, grid, block.window))
    tokens = prod(window) * prod(ceil_div(grid, window))
    return tokens * (4 * c * c + 2 * prod(window) * c)


def channel_mixer_macs(spec: Spec, block: BlockSpec) -> int:
    """Count the channel mixer's multiply-adds for one token."""
    mlp = 2 * block.dim * block.hidden
    if not isinstance(spec, SpecMoE) or block.index not in spec.moe_blocks[block.stage]:
        return mlp
    return router_macs(spec, block.dim) + spec.top_k * mlp


def ceil_div(size: Size, by: Size) -> Size:
    """Divide sizes, rounding up."""
    return tuple((s + b - 1) // b for s, b in zip(size, by, strict=True))

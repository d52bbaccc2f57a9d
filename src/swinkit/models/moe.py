"""Swin-MoE (Hwang et al. 2022, https://arxiv.org/abs/2206.03382).

It differs from V1 in V2's continuous bias, here unbounded, and in experts instead of some MLPs.
"""

from torch import nn

from ..core.attention import ScaledDot, WindowAttention
from ..core.backbone import Swin, assemble
from ..core.block import MLP, PreNormBlock
from ..core.borders import BORDERS
from ..core.moe.balance import BALANCES
from ..core.moe.dispatch import DispatchPolicy
from ..core.moe.experts import ExpertMLPs, Experts
from ..core.moe.routers import CosineRouter, LinearRouter, Router
from ..core.patches import NormThenReduce
from ..core.position import ContinuousBias
from ..core.spec import BlockSpec
from .families import SpecMoE


def swin_moe(spec: SpecMoE) -> Swin:
    """Build a Swin-MoE: pre-norm blocks of scaled-dot attention with a continuous bias, some with experts."""

    def make_block(block: BlockSpec) -> PreNormBlock:
        attention = WindowAttention(
            block,
            BORDERS[spec.border],
            qkv=nn.Linear(block.dim, 3 * block.dim, bias=spec.qkv_bias),
            similarity=ScaledDot(spec.qk_scale),
            bias=ContinuousBias(block.num_heads, reference=spec.reference_windows[block.stage], bound=None),
            dropout=spec.dropout,
            attention_dropout=spec.attention_dropout,
        )
        make_mixer = make_experts if block.index in spec.moe_blocks[block.stage] else make_mlp
        return PreNormBlock(block.dim, attention, make_mixer(spec, block), block.drop_path)

    return assemble(spec, make_block, NormThenReduce)


def make_mlp(spec: SpecMoE, block: BlockSpec) -> MLP:
    """Build the channel mixer of a block without experts."""
    return MLP(block.dim, block.hidden, spec.dropout, output_bias=spec.mlp_output_bias)


def make_experts(spec: SpecMoE, block: BlockSpec) -> Experts:
    """Build the channel mixer of a block with experts."""
    policy = DispatchPolicy(
        top_k=spec.top_k,
        capacity_factor=spec.capacity_factor,
        multiple=spec.capacity_multiple,
        normalised=spec.normalise_gates,
        prioritised=spec.batch_prioritised,
    )
    mlps = ExpertMLPs(
        spec.num_experts,
        block.dim,
        block.hidden,
        dropout=spec.expert_dropout,
        output_bias=spec.has_expert_bias,
    )
    return Experts(make_router(spec, block.dim), mlps, policy, BALANCES[spec.balance])


def make_router(spec: SpecMoE, dim: int) -> Router:
    """Build the router that `spec.router` names."""
    if spec.router == "cosine":
        return CosineRouter(dim, spec.num_experts, spec.router_noise, spec.router_dim)
    return LinearRouter(dim, spec.num_experts, spec.router_noise)

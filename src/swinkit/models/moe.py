"""Swin-MoE (Hwang et al. 2022, https://arxiv.org/abs/2206.03382).

Against V1: V2's continuous bias, here unbounded, and experts in place of some MLPs.
"""

from torch import nn

from ..core.attention import ScaledDot, WindowAttention
from ..core.backbone import Swin, assemble
from ..core.block import MLP, PreNormBlock
from ..core.borders import BORDERS
from ..core.moe.balance import BALANCES
from ..core.moe.dispatch import Policy
from ..core.moe.experts import ExpertMLPs, Experts
from ..core.moe.routers import CosineRouter, LinearRouter, Router
from ..core.patches import NormThenReduce
from ..core.position import ContinuousBias
from ..core.spec import Place
from .families import SpecMoE


def swin_moe(spec: SpecMoE) -> Swin:
    """Pre-norm blocks of scaled-dot attention with a continuous bias, some of them with experts."""

    def block(place: Place) -> PreNormBlock:
        attention = WindowAttention(
            place,
            BORDERS[spec.border],
            qkv=nn.Linear(place.dim, 3 * place.dim, bias=spec.qkv_bias),
            similarity=ScaledDot(spec.qk_scale),
            bias=ContinuousBias(place.num_heads, reference=spec.reference_windows[place.stage], bound=None),
            dropout=spec.dropout,
            attention_dropout=spec.attention_dropout,
        )
        mixer = experts if place.index in spec.moe_blocks[place.stage] else mlp
        return PreNormBlock(place.dim, attention, mixer(spec, place), place.drop_path)

    return assemble(spec, block, NormThenReduce)


def mlp(spec: SpecMoE, place: Place) -> MLP:
    """The channel mixer of a dense block."""
    return MLP(place.dim, place.hidden, spec.dropout, output_bias=spec.mlp_output_bias)


def experts(spec: SpecMoE, place: Place) -> Experts:
    """The channel mixer of a block with experts."""
    policy = Policy(
        top_k=spec.top_k,
        capacity_factor=spec.capacity_factor,
        multiple=spec.capacity_multiple,
        normalised=spec.normalise_gates,
        prioritised=spec.batch_prioritised,
    )
    mlps = ExpertMLPs(
        spec.num_experts,
        place.dim,
        place.hidden,
        dropout=spec.expert_dropout,
        output_bias=spec.biased_experts,
    )
    return Experts(router(spec, place.dim), mlps, policy, BALANCES[spec.balance])


def router(spec: SpecMoE, dim: int) -> Router:
    """The part that `spec.router` names."""
    if spec.router == "cosine":
        return CosineRouter(dim, spec.num_experts, spec.router_noise, spec.router_dim)
    return LinearRouter(dim, spec.num_experts, spec.router_noise)

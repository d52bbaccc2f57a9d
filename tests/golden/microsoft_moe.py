"""microsoft/Swin-Transformer: `SwinTransformerMoE`, on one process.

Beside features it answers with what its routers decided, so the experts are watched.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from swinkit.core.backbone import Swin
from swinkit.core.moe.dispatch import Dispatch
from swinkit.core.moe.experts import Experts
from swinkit.models.build import build
from swinkit.models.families import SpecMoE
from tests.models.small import Headed

from . import microsoft
from .options import complete
from .reference import Reference
from .trace import Trace

TIE = 1e-6  # tokens whose sureness differs by less may be served in any order (case.json)
DEFAULTS: dict[str, Any] = {
    **microsoft.V2,
    "qk_scale": None,
    "mlp_fc2_bias": True,
    "init_std": 0.02,
    "moe_blocks": [[-1], [-1], [-1], [-1]],
    "num_local_experts": 1,
    "top_value": 1,
    "capacity_factor": 1.25,
    "cosine_router": False,
    "normalize_gate": False,
    "use_bpr": True,
    "is_gshard_loss": True,
    "gate_noise": 1.0,
    "cosine_router_dim": 256,
    "cosine_router_init_t": 0.5,
    "moe_drop": 0.0,
    "aux_loss_weight": 0.01,
}


def moe(constructor: dict[str, Any]) -> Reference:
    """`SwinTransformerMoE` of models/swin_transformer_moe.py."""
    options = complete(constructor, DEFAULTS)
    numbers = spec(options)
    backbone = build(numbers)
    decisions = watch(backbone, numbers)

    def names(found: Trace) -> dict[str, Tensor]:
        return microsoft.names(found) | decisions.named

    model = Headed(backbone, options["num_classes"])
    return Reference("swin_moe", model, "microsoft", names, settle=decisions.settle)


def spec(options: dict[str, Any]) -> SpecMoE:
    """Return our numbers; what the reference ignores, such as blocks past the last, is left out."""
    common = microsoft.spec(options)
    experts = max(options["num_local_experts"], 1)  # -1: one expert on one process
    blocks = tuple(
        tuple(sorted({block for block in blocks if 0 <= block < depth}))
        for blocks, depth in zip(options["moe_blocks"], options["depths"], strict=False)
    )
    return SpecMoE(
        **common,
        qk_scale=options["qk_scale"],
        pretrained_window_sizes=microsoft.references(options, common["window_sizes"]),
        moe_blocks=blocks,
        num_experts=experts,
        top_k=min(options["top_value"], experts),
        capacity_factor=options["capacity_factor"],
        router="cosine" if options["cosine_router"] else "linear",
        router_dim=options["cosine_router_dim"],
        router_noise=options["gate_noise"],
        normalise_gates=options["normalize_gate"],
        batch_prioritised=options["use_bpr"],
        balance="gshard" if options["is_gshard_loss"] else "load-importance",
        balance_weight=options["aux_loss_weight"],
        expert_dropout=options["moe_drop"],
        mlp_output_bias=options["mlp_fc2_bias"],
        expert_output_bias=True,  # which the option keeps from learning, and no more
    )


@dataclass
class Decisions:
    """What the routers of one model decided in its last forward, by the names of their blocks."""

    spec: SpecMoE
    plans: dict[str, Dispatch] = field(default_factory=dict)
    sureness: dict[str, Tensor] = field(default_factory=dict)  # (N): the score of each token's first choice
    losses: dict[str, Tensor] = field(default_factory=dict)

    @property
    def named(self) -> dict[str, Tensor]:
        """Under the reference's names."""
        named: dict[str, Tensor] = {}
        for place, plan in self.plans.items():
            named[f"{place}.expert_index"], named[f"{place}.location"] = plan.expert, plan.turn
            named[f"{place}.l_aux"] = self.losses[place]
        if self.losses:
            named["aux_loss"] = self.spec.balance_weight * torch.stack(list(self.losses.values())).sum()
        return named

    def settle(self, found: dict[str, Tensor], expected: dict[str, Tensor]) -> dict[str, Tensor]:
        """`found`, with the turns that are as right as ours."""
        names = {f"{place}.location": place for place in self.plans}
        as_right = {
            name: settled(self.plans[place], self.sureness[place], expected[name])
            for name, place in names.items()
            if name in expected and expected[name].shape == self.plans[place].turn.shape
        }
        return found | as_right


def settled(plan: Dispatch, sureness: Tensor, theirs: Tensor) -> Tensor:
    """(N, K): our turns, or theirs where only rounding tells how sure the tokens are that have them.

    Turns past the capacity are not exchanged with those before it: that would change answers.
    """
    turn = plan.turn.clone()
    for token, k in (turn != theirs).nonzero().tolist():
        other, line = theirs[token, k], plan.expert[:, k] == plan.expert[token, k]
        holder = (line & (plan.turn[:, k] == other)).nonzero().flatten()
        tied = len(holder) == 1 and (sureness[holder] - sureness[token]).abs().item() < TIE
        if tied and (other < plan.capacity) == (plan.turn[token, k] < plan.capacity):
            turn[token, k] = other
    return turn


def watch(backbone: Swin, spec: SpecMoE) -> Decisions:
    """From now on note what every router decides."""
    decisions = Decisions(spec)

    def note(place: str) -> Callable[[nn.Module, tuple[Tensor], Tensor], None]:
        def hook(module: nn.Module, inputs: tuple[Tensor], _output: Tensor) -> None:
            assert isinstance(module, Experts)
            assert module.balance is not None
            tokens = inputs[0].flatten(0, -2)
            decisions.plans[place], _ = module.route(tokens)
            decisions.sureness[place] = module.router(tokens)[1].softmax(1).amax(1)
            decisions.losses[place] = module.balance

        return hook

    for i, stage in enumerate(backbone.stages):
        for j, block in enumerate(stage.blocks):
            if isinstance(block.channel_mixer, Experts):
                block.channel_mixer.register_forward_hook(note(f"stage{i}.block{j}"))
    return decisions

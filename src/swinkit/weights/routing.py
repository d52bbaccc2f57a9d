"""From the tensors of a Swin-MoE to the numbers of its experts and routers."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from .rules import Pattern
from .shared_rules import BLOCK

EXPERTS = Pattern(f"{BLOCK}channel_mixer.experts.fc1")
DENSE_BIAS = Pattern(f"{BLOCK}channel_mixer.fc2.bias")
DENSE = Pattern(f"{BLOCK}channel_mixer.fc2.weight")
EXPERTS_BIAS = Pattern(f"{BLOCK}channel_mixer.experts.fc2_bias")


def routing_of(state: Mapping[str, Tensor], depths: tuple[int, ...]) -> dict[str, Any]:
    """The fields of a `SpecMoE` that its tensors tell.

    How many experts a token goes to, and who finds a slot, is in none, so those fields keep their defaults.
    """
    places = {(v["i"], v["j"]): name for name in state if (v := EXPERTS.match(name)) is not None}
    fields: dict[str, Any] = {
        "moe_blocks": tuple(
            tuple(block for block in range(depth) if (stage, block) in places)
            for stage, depth in enumerate(depths)
        ),
        **biases(state),
    }
    if not places:
        return fields
    first = next(iter(places.values()))
    keys = state.get(first.replace("experts.fc1", "router.keys"))
    cosine = {} if keys is None else {"router": "cosine", "router_dim": keys.shape[0]}
    return {**fields, **cosine, "num_experts": state[first].shape[0]}


def biases(state: Mapping[str, Tensor]) -> dict[str, bool | None]:
    """Whether MLPs end in a bias, and experts where they are not alike; experts alone tell for both."""
    dense, dense_biased, experts, experts_biased = (
        any(pattern.match(name) is not None for name in state)
        for pattern in (DENSE, DENSE_BIAS, EXPERTS, EXPERTS_BIAS)
    )
    if not dense:
        return {"mlp_output_bias": experts_biased}
    alike = not experts or experts_biased == dense_biased
    return {"mlp_output_bias": dense_biased, "expert_output_bias": None if alike else experts_biased}

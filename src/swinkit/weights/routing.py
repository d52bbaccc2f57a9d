"""From the tensors of a Swin-MoE to the numbers of its experts and routers."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from .parts import BLOCK
from .rules import Pattern

EXPERTS = Pattern(f"{BLOCK}channel_mixer.experts.fc1")
BIASES = (Pattern(f"{BLOCK}channel_mixer.fc2.bias"), Pattern(f"{BLOCK}channel_mixer.experts.fc2_bias"))


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
        "mlp_output_bias": any(bias.match(name) is not None for name in state for bias in BIASES),
    }
    if not places:
        return fields
    first = next(iter(places.values()))
    keys = state.get(first.replace("experts.fc1", "router.keys"))
    cosine = {} if keys is None else {"router": "cosine", "router_dim": keys.shape[0]}
    return {**fields, **cosine, "num_experts": state[first].shape[0]}

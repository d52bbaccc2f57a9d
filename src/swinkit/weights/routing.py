"""From the tensors of a Swin-MoE to the numbers of its experts and routers."""

import logging
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ..models.families import SpecMoE
from .parts import BLOCK
from .rules import Pattern

logger = logging.getLogger(__name__)

EXPERTS = Pattern(f"{BLOCK}channel_mixer.experts.fc1")
BIASES = (Pattern(f"{BLOCK}channel_mixer.fc2.bias"), Pattern(f"{BLOCK}channel_mixer.experts.fc2_bias"))


def routing_of(state: Mapping[str, Tensor], depths: tuple[int, ...]) -> dict[str, Any]:
    """The fields of a `SpecMoE` that its tensors tell.

    How many experts a token goes to, and who finds a slot, is in none: taken as published, and logged.
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
    logger.info(
        "no tensor tells how experts are chosen; taken as published: top_k %d, capacity_factor %g, "
        "batch_prioritised %s, normalise_gates %s",
        SpecMoE.top_k,
        SpecMoE.capacity_factor,
        SpecMoE.batch_prioritised,
        SpecMoE.normalise_gates,
    )
    cosine = {} if keys is None else {"router": "cosine", "router_dim": keys.shape[0]}
    return {**fields, **cosine, "num_experts": state[first].shape[0]}

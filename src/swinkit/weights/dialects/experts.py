"""Names of Swin-MoE's experts in Tutel, for Microsoft's models.

Tutel also stores the number of experts, and a bias of the second layer even where it is switched off. That
bias is not learned, so it is zero; if it is not zero, Tutel adds it all the same. Its early versions, which
made the published files, gave biases one more axis and stored no count.

Shapes: E experts, F hidden channels, C channels.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...core.spec import Spec
from ...errors import DataError
from ...models.families import SpecMoE
from ..rules import Move, Pattern, Rename, Reshape, Rule, Together, together
from ..shared_rules import BLOCK

DENSE = Pattern("layers.{i}.blocks.{j}.mlp.fc2.*")


def experts(prefix: str) -> tuple[Rule, ...]:
    """Return the rules for channel mixers with experts; `prefix` is the name of Tutel's layer.

    First among their dialect's rules: they look at the dense blocks too.
    """
    router, ours = f"{prefix}gates.0.", f"{BLOCK}channel_mixer."
    fc1, fc2 = f"{prefix}experts.batched_fc1", f"{prefix}experts.batched_fc2"
    our_fc1, our_fc2 = f"{ours}experts.fc1", f"{ours}experts.fc2"
    return (
        Rename(f"{router}wg.weight", f"{ours}router.gate.weight"),
        Rename(f"{router}temperature", f"{ours}router.log_scale"),
        Rename(f"{router}cosine_projector.*", f"{ours}router.proj.*"),
        Rename(f"{router}sim_matrix", f"{ours}router.keys"),
        Together((f"{fc1}_w", f"{prefix}_num_global_experts"), (our_fc1,), drop_count, add_count),
        Rename(f"{fc1}_w", our_fc1),
        Reshape(f"{fc1}_bias", f"{our_fc1}_bias", lambda x, _: x.flatten(1), lambda x: x),
        UnlearnedBias((f"{fc2}_w", f"{fc2}_bias"), our_fc2),
        Rename(f"{fc2}_w", our_fc2),
        Reshape(f"{fc2}_bias", f"{our_fc2}_bias", lambda x, _: x.flatten(1), lambda x: x),
    )


@dataclass(frozen=True)
class UnlearnedBias(Rule):
    """Rule for a weight with a bias that is not learned: ours is the weight, and the bias unless it is zero.

    In models whose MLPs have no second bias. The dense blocks of a file show whether it is of such a model;
    one that has none is taken for another.
    """

    theirs: tuple[str, str]
    ours: str

    def apply(self, names: Collection[str]) -> list[Move]:
        """Plan their names -> ours."""
        dense = {values["rest"] for name in names if (values := DENSE.match(name)) is not None}
        if "weight" not in dense or "bias" in dense:
            return []
        ours = (self.ours, f"{self.ours}_bias")
        return together(self.theirs, ours, names, drop_zeros)

    def invert(self, names: Collection[str]) -> list[Move]:
        """Plan our names -> theirs."""
        alone = [name for name in names if f"{name}_bias" not in names]
        return together((self.ours,), self.theirs, alone, add_zeros)


def drop_count(tensors: Sequence[Tensor], _spec: Spec | None) -> Sequence[Tensor]:
    """Drop the count: [(E, F, C), count] -> [(E, F, C)].

    Raises:
        DataError: the count is another one.
    """
    weight, count = tensors
    if count.numel() != 1 or count.item() != len(weight):
        raise DataError(
            f"this file holds {len(weight)} of {count.tolist()} experts, so it is one of several; "
            "give the folder or the archive of all of them"
        )
    return [weight]


def add_count(tensors: Sequence[Tensor], _spec: Spec | None) -> Sequence[Tensor]:
    """Add the count: [(E, F, C)] -> [(E, F, C), count]."""
    return [tensors[0], torch.tensor(len(tensors[0]))]


def drop_zeros(tensors: Sequence[Tensor], spec: Spec | None) -> Sequence[Tensor | None]:
    """Drop a bias of zeros: [(E, F, C), (E, C) or (E, 1, C)] -> [(E, F, C), (E, C) or None].

    A model that has the biases (`spec`) needs them even if they are zero.
    """
    weight, bias = tensors
    needed = bias.any() or (isinstance(spec, SpecMoE) and spec.has_expert_bias)
    return [weight, bias.flatten(1) if needed else None]


def add_zeros(tensors: Sequence[Tensor], _spec: Spec | None) -> Sequence[Tensor]:
    """Add a bias of zeros: [(E, F, C)] -> [(E, F, C), (E, C)]."""
    weight = tensors[0]
    return [weight, weight.new_zeros(weight.shape[0], weight.shape[2])]

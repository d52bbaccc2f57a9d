"""Names of timm since 0.9: a patch merging begins the next stage, and the classifier is `head.fc`.

Older timm files have Microsoft's layout. timm saves no buffers. Its V2-CR models have blocks, a bias and
norms of their own: the norm after the last block is our head's. Their files of 2022 hold temperatures as
divisors, `tau`, and call the classifier `head`. A features_only model has an underscore in the names of its
stages (`layers_0.`), which `plain_name` removes, and often stands in a segmenter.
"""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass

from torch import Tensor

from ...core.spec import Spec
from .. import unsupported as limits
from ..dialect import Dialect
from ..rules import Move, Pattern, Rename, Reshape, Rule, unchanged
from ..shared_rules import BLOCK, MIXER, block_layers, blocks, embedding, merges, own_biases, window_buffers

BLOCKS = "layers.{i}.blocks.{j}."
SEGMENTER = ("decoder.**", "segmentation_head.**")  # around a features_only model of timm

TIMM = Dialect(
    "timm",
    (
        *embedding("patch_embed."),
        *own_biases(BLOCKS),
        *blocks(BLOCKS, ("mlp.fc1", "mlp.fc2")),
        *merges("layers.{i+1}.downsample."),
        Rename("norm.*", "head.norm.*"),
        Rename("head.fc.*", "head.classifier.*"),
    ),
    buffers=window_buffers(BLOCKS),
    unused=SEGMENTER,
    axes=(2,),
    border="roll-first",
    tables="geometric",
    cannot=limits.TIMM,
)

CR_BLOCKS = "stages.{i}.blocks.{j}."


@dataclass(frozen=True)
class LastNorm(Rule):
    """Rule for the norm after the last block, which is `ours`; it must precede other rules for `norm`."""

    norm: str
    ours: str

    def apply(self, names: Collection[str]) -> list[Move]:
        """Plan their names -> ours."""
        found = self._standing(names, CR_BLOCKS)
        return [Move((theirs,), (ours,), unchanged) for theirs, ours in found if theirs in names]

    def invert(self, names: Collection[str]) -> list[Move]:
        """Plan our names -> theirs."""
        found = self._standing(names, BLOCK)
        return [Move((ours,), (theirs,), unchanged) for theirs, ours in found if ours in names]

    def _standing(self, names: Collection[str], block: str) -> list[tuple[str, str]]:
        """Return both names of the norm's two parameters, by the last block that `names` hold."""
        member = Pattern(f"{block}**")
        places = [(int(v["i"]), int(v["j"])) for name in names if (v := member.match(name)) is not None]
        if not places:
            return []
        stage, index = max(places)
        last = Pattern(CR_BLOCKS).fill({"i": stage, "j": index})
        return [(f"{last}{self.norm}.{part}", f"{self.ours}.{part}") for part in ("weight", "bias")]


def reshape_heads(into: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Spec | None], Tensor]:
    """Return a function from their (H) to our (H, 1, 1) that applies `into`."""
    return lambda x, _: into(x).reshape(-1, 1, 1)


TIMM_CR = Dialect(
    "timm-cr",
    (
        *embedding("patch_embed."),
        LastNorm("norm3", "head.norm"),
        *block_layers(CR_BLOCKS, ("mlp.fc1", "mlp.fc2"), ("meta_mlp.fc1", "meta_mlp.fc2")),
        Rename(f"{CR_BLOCKS}norm3.*", f"{BLOCK}main_norm.*"),
        Reshape(
            f"{CR_BLOCKS}attn.logit_scale",
            f"{MIXER}similarity.log_scale",
            reshape_heads(lambda x: x),
            lambda x: x.reshape(-1),
        ),
        Reshape(  # the same temperature: one is at most 100, the other at least 0.01
            f"{CR_BLOCKS}attn.tau",
            f"{MIXER}similarity.log_scale",
            reshape_heads(lambda x: -x.clamp(min=0.01).log()),
            lambda x: x.clamp(max=math.log(100)).neg().exp().reshape(-1),
        ),
        *merges("stages.{i+1}.downsample."),
        Rename("head.fc.*", "head.classifier.*"),
        Rename("head.*", "head.classifier.*"),
    ),
    unused=SEGMENTER,
    axes=(2,),
    border="roll-first",
    cannot=limits.TIMM_CR,
)

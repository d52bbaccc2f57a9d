"""One pass through one of our models, with everything on the way noted down.

Shapes: B batch, *S grid size, L tokens in the grid, C channels, K classes.
"""

from dataclasses import dataclass, field

from torch import Tensor, nn

from swinkit.heads.pyramid import Pyramid
from tests.models.small import Headed


@dataclass
class Trace:
    """What one input became, channels last."""

    embedded: Tensor | None = None  # patches, before any absolute position
    blocks: dict[tuple[int, int], Tensor] = field(default_factory=dict)  # by stage and block
    merged: dict[int, Tensor] = field(default_factory=dict)  # by the stage that was merged
    normed: Tensor | None = None
    pooled: Tensor | None = None
    logits: Tensor | None = None
    maps: dict[int, Tensor] = field(default_factory=dict)  # of a Pyramid, by stage, channels first

    @property
    def features(self) -> list[Tensor]:
        """(B, *S, C) of each stage, finest first."""
        last = {stage: x for (stage, _), x in sorted(self.blocks.items())}
        return list(last.values())

    def out(self, stage: int) -> Tensor:
        """Return a stage's features after merging; the last stage's as they are."""
        return self.merged.get(stage, self.features[stage])


def trace(model: Headed | Pyramid, pixels: Tensor) -> Trace:
    """Run `model` and note what each part made."""
    found, hooks = Trace(), []

    def note(module: nn.Module, store: dict | None, key: object) -> None:
        def hook(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            if store is None:
                found.embedded = output
            else:
                store[key] = output

        hooks.append(module.register_forward_hook(hook))

    note(model.backbone.embed, None, None)
    for i, stage in enumerate(model.backbone.stages):
        for j, block in enumerate(stage.blocks):
            note(block, found.blocks, (i, j))
        if stage.merge is not None:
            note(stage.merge, found.merged, i)
    try:
        answer = model(pixels)
    finally:
        for hook in hooks:
            hook.remove()
    if isinstance(model, Pyramid):
        found.maps = dict(zip((int(i) for i in model.norms), answer, strict=True))
    else:
        found.logits = answer
        found.normed = model.head.norm(found.features[-1])
        found.pooled = model.head.pool(found.features[-1])
    return found


def tokens(x: Tensor) -> Tensor:
    """(B, *S, C) -> (B, L, C)."""
    return x.flatten(1, -2)


def channels_first(x: Tensor) -> Tensor:
    """(B, *S, C) -> (B, C, *S)."""
    return x.movedim(-1, 1)

"""The model to convert, described for another library: its spec, its kind of answer, its usual input size."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..core.spec import Size, Spec
from ..files.contents import State
from ..models.catalogue import variant_of
from ..tasks.regression.model import Regression
from ..tasks.task import Task
from ..weights.configs import BACKBONE, BARE, CLASSIFIER, RECONSTRUCTION, times, transformers_config
from ..weights.load import backbone_of, canonical
from ..weights.unsupported import smallest_grid


@dataclass(frozen=True, kw_only=True)
class Source:
    """Model to convert. `kind` is one of those of `weights.configs`; `size` its usual pixels per axis.

    `num_classes` is 0 without a classifier, `outputs` the stages that a pyramid gives out.
    """

    model: nn.Module
    state: State
    spec: Spec
    kind: str
    size: Size
    num_classes: int = 0
    labels: tuple[str, ...] = ()
    preprocess: Mapping[str, Any] | None = None
    outputs: tuple[int, ...] = ()
    problem: str | None = None  # what the head answers, as transformers calls it; None: one class

    @classmethod
    def of(cls, model: nn.Module) -> "Source":
        """Describe a model.

        Raises:
            UsageError: it is no Swin and has none.
        """
        spec, state = backbone_of(model).spec, canonical(model)
        classifier = state.get("head.classifier.weight")
        kind = kind_of(state)
        task = model if isinstance(model, Task) and kind == CLASSIFIER else None
        fits = None if task is None else task.preprocess
        if isinstance(model, Regression):
            state = model.plain_tensors(state)
        return cls(
            model=model,
            state=state,
            spec=spec,
            kind=kind,
            size=usual_size(spec, fits.crop if fits is not None else None),
            num_classes=0 if classifier is None else classifier.shape[0],
            labels=() if task is None else tuple(task.labels),
            preprocess=fits.to_json() if fits is not None else None,
            problem=getattr(task, "problem", None),
            outputs=tuple(sorted({int(name.split(".")[1]) for name in state if name.startswith("norms.")})),
        )

    @property
    def masks(self) -> bool:
        """True if the model takes a mask of patches as a second input."""
        return self.kind == RECONSTRUCTION

    def answers(self, model: nn.Module, pixels: Tensor) -> list[Tensor]:
        """Compute the answers of the model for pixels (B, in_channels, *P), as a list.

        [(B, K)] logits; a pyramid's maps; the [(B, in_channels, *P)] that a masked image model makes of every
        second patch; or [(B, *S, C)] of the last stage.
        """
        with torch.inference_mode():
            made = model(pixels, every_second(pixels, self.spec)) if self.masks else model(pixels)
        if self.kind == BARE:
            return [made[-1]]
        return list(made) if isinstance(made, list | tuple) else [made]


def every_second(pixels: Tensor, spec: Spec) -> Tensor:
    """Make a mask of every second patch: (B, in_channels, *P) -> (B, *S), 1 where masked."""
    grid = tuple(side // patch for side, patch in zip(pixels.shape[2:], spec.patch, strict=True))
    return (torch.arange(math.prod(grid)) % 2).reshape(1, *grid).expand(len(pixels), *grid)


def kind_of(state: State) -> str:
    """Return the kind of answer of a model with these tensors."""
    if "mask_token" in state:
        return RECONSTRUCTION
    if any(name.startswith("norms.") for name in state):
        return BACKBONE
    return CLASSIFIER if "head.classifier.weight" in state else BARE


def usual_size(spec: Spec, crop: Size | None) -> Size:
    """Return the input size: the model's own, else its variant's, else the smallest that works."""
    if crop is not None and len(crop) == len(spec.patch):
        return crop
    known = variant_of(spec)
    return known.size if known else times(smallest_grid(spec.window_sizes, spec.merge), spec.patch)


def config_of(source: Source, size: Size) -> dict[str, Any]:
    """Return the `config.json` from which transformers builds the model."""
    return transformers_config(
        source.spec, size, source.kind, source.labels, source.outputs, problem=source.problem
    )

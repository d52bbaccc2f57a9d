"""Evaluation of a masked image model: scores on hidden pixels, and files."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from ...data.dataset import ImageDataset
from ...data.find_dataset import find_inputs
from ...errors import DataError
from ..evaluation import Evaluation, protocol, summary
from ..observed import Observed
from ..task import NOT_FINITE
from .figures import RECONSTRUCTIONS, draw_reconstructions
from .model import SimMIM

SEED = 0  # of what is hidden of measured pictures: the same for every model, so that scores compare


@dataclass(frozen=True)
class MaskedEvaluation(Evaluation):
    """Scores of `model` on `samples`, as in `SimMIM.scores`."""

    model: SimMIM
    samples: ImageDataset
    scores: dict[str, float]

    def __str__(self) -> str:
        """Return the scores in one line."""
        return f"explained {self.scores['explained']:.4f}  l1 {self.scores['l1']:.4f}"

    @property
    def summary(self) -> str:
        """Protocol of the measurement, in one line."""
        masking = self.model.masking
        hidden = f"{masking.ratio:.0%} hidden in cells of {masking.patch} pixels"
        return f"{summary(self.samples, self.model.preprocess)}; {hidden}"

    def to_json(self) -> dict[str, Any]:
        """Return the scores, the number of pictures, and how they were measured."""
        stated = masked_protocol(self.model, self.samples)
        return {**stated, **self.scores, "pictures": len(self.samples)}

    def files(self) -> dict[str, str | Image.Image]:
        """Return a picture of reconstructions of a few samples, by name.

        Raises:
            ImageError: one of them cannot be read any more.
        """
        return {RECONSTRUCTIONS: draw_reconstructions(self.model, self.samples)}


def masked_protocol(model: SimMIM, samples: ImageDataset) -> dict[str, Any]:
    """Return the protocol of an evaluation, with the masking."""
    stated = protocol(model.name, samples, model.preprocess)
    stated["protocol"]["masking"] = {"ratio": model.masking.ratio, "cell": model.masking.patch, "seed": SEED}
    return stated


def evaluation_of(model: SimMIM, samples: ImageDataset, observed: Observed) -> MaskedEvaluation:
    """Return the evaluation that comes of the errors of `model` over every picture.

    Raises:
        DataError: scores are not finite.
    """
    scores = model.scores(observed)
    if not all(map(math.isfinite, scores.values())):
        raise DataError(NOT_FINITE)
    return MaskedEvaluation(model, samples, scores)


def find_split(data: Path, split: str, model: SimMIM) -> ImageDataset:
    """Find the inputs of a split that `model` takes; of the split `all`, every one.

    Raises:
        DataError: there are none.
    """
    found = find_inputs(data, model.preprocess, split)
    if found.split != split:
        raise DataError(f"{data}: nothing to measure it on in {split}/; split=all takes all there is")
    return found

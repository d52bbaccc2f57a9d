"""The functions of `swinkit.*`: from a name, a file or a folder to a model, and back."""

import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch

from .core.backbone import Swin
from .core.spec import Spec
from .data.folders import find_labelled
from .data.preprocess import Preprocess
from .errors import DataError, UsageError
from .heads.pyramid import Pyramid
from .models.build import build
from .models.catalogue import did_you_mean, find
from .models.specs import VARIANTS, Variant
from .tasks.classification.data import FittedImages, evaluation_batches, training_batches
from .tasks.classification.foreign import load_file
from .tasks.classification.metrics import Accuracy
from .tasks.classification.model import Classifier, evaluating, require_pictures
from .tasks.classification.saved import read_classifier, training_card, write_classifier
from .training.loop import train as run_loop
from .training.recipe import Recipe
from .training.run import RunFolder
from .weights.checkpoints import DEFAULT, locate
from .weights.folder import CONFIG, WEIGHTS

__all__ = ["backbone", "evaluate", "load", "save", "train", "variants"]

EVALUATION_BATCH = 64
HELD_OUT = ("val", "valid", "validation", "test")  # what training watches: the first there is
KEPT_BYTES = 2**30  # of decoded pictures in memory, for each of the two splits

logger = logging.getLogger(__name__)


def variants() -> dict[str, Variant]:
    """Every model that can be built by name, and its numbers."""
    return dict(VARIANTS)


def backbone(name: str, **changes: Any) -> Swin:
    """A new, untrained backbone.

    `backbone("swinv2-b")(pixels)` -> features, finest first, for pixels of any size. `changes` replace fields
    of its `Spec`, for example `in_channels=1`, `drop_path=0.1` or `border="pad"`.

    Raises:
        UsageError: an unknown name or field, or values that no Swin can be built from.
    """
    _, variant = find(name)
    return build(changed(variant.spec, changes))


def changed(spec: Spec, changes: dict[str, Any]) -> Spec:
    """`spec` with some fields replaced.

    Raises:
        UsageError: an unknown field, or values that no Swin can be built from.
    """
    known = [field.name for field in fields(spec)]
    for field in changes:
        if field not in known:
            kind = type(spec).__name__
            raise UsageError(
                f"a {kind} has no field {field!r}{did_you_mean(field, known)} (known: {', '.join(known)})"
            )
    try:
        return replace(spec, **changes)
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from None


def load(
    source: str | os.PathLike[str] | None = None,
    *,
    variant: str | None = None,
    labels: Sequence[str] | None = None,
) -> Classifier | Pyramid | Swin:
    """A model with weights, in eval mode; without `source`, the small one that comes with swinkit.

    `source` is a folder that `save` wrote, a checkpoint's name (`swin-pico/cifar-10`), or a file of weights
    in the names of any known library; then the model runs under that library's border policy, a report of
    what became of every tensor is printed to stderr, and what comes back is a `Classifier`, a `Pyramid`
    (a dense fork's backbone) or a bare `Swin` (no head in the file). For files, `variant` names the
    architecture where the file does not tell it (V2's windows), and `labels` the classes.

    Raises:
        DataError: the file or folder is missing or damaged, or holds tensors that cannot be explained.
        UsageError: an unknown name, or a file whose architecture must be named.
    """
    if source is None:
        return read_classifier(locate(DEFAULT))
    path = Path(source)
    if path.is_file() and path.name == WEIGHTS and (path.parent / CONFIG).is_file():
        raise UsageError(f"{path} is part of a saved model; load its folder, {path.parent}")
    if path.is_file():
        model, report = load_file(path, variant, labels)
        print(report, file=sys.stderr)
        return model
    if variant is not None or labels is not None:
        raise UsageError("variant and labels are for files of weights; a saved folder has its own")
    if path.is_dir():
        return read_classifier(path)
    if path.suffix in (".pth", ".pt", ".bin", ".ckpt", ".safetensors") or path.is_absolute():
        raise DataError(f"{path}: no such file or folder")
    return read_classifier(locate(path.as_posix()))


def save(model: Classifier, folder: str | os.PathLike[str], *, card: str | None = None) -> None:
    """Write a model as a folder that `load` reads: weights, configuration, preprocessing, labels and a card.

    Raises:
        UsageError: `folder` holds something else than a saved model.
        EnvironmentProblem: it cannot be written; what stood there before is kept.
    """
    write_classifier(model, Path(folder), card)


def evaluate(
    model: Classifier,
    data: str | os.PathLike[str],
    *,
    split: str = "test",
    batch_size: int = EVALUATION_BATCH,
) -> Accuracy:
    """Count the model's answers over every picture of `data`, a folder or zip of SPLIT/CLASS/picture.

    Raises:
        DataError: no such split, classes unknown to the model, or a picture that cannot be read (none is
            left out).
        UsageError: no classifier of RGB pictures, or a `batch_size` below 1.
    """
    if not isinstance(model, Classifier):
        raise UsageError(f"evaluate measures classifiers, not a {type(model).__name__}")
    require_pictures(model.backbone.spec)
    if batch_size < 1:
        raise UsageError(f"batch_size is {batch_size}; it must be 1 or more")
    images = find_labelled(Path(data), split, classes=model.labels)
    weight, counts = model.head.classifier.weight, Accuracy.empty(len(model.labels))
    with evaluating(model), torch.inference_mode():
        for batch in evaluation_batches(FittedImages(images, model.preprocess), batch_size):
            counts += Accuracy.of(model(batch.pixels.to(weight.device, weight.dtype)), batch.targets)
    return counts


def train(recipe: Recipe, data: str | os.PathLike[str], out: str | os.PathLike[str]) -> Classifier:
    """Train by `recipe` on `data`, a folder or zip of train|val/CLASS/picture, and save into `out`/model.

    Without a `val` (or `valid`, `validation`), `test` is watched instead. Stopped, the training goes on where
    the last epoch ended when called again with the same `out`.

    Raises:
        DataError: the data has no such splits, fewer training pictures than one batch, or a picture that
            cannot be read; or the loss is not finite.
        UsageError: the recipe's variant is unknown or takes no pictures, or `out` holds another training.
        EnvironmentProblem: `out` cannot be written.
    """
    run = recipe.run
    _, variant = find(recipe.variant)
    require_pictures(variant.spec)
    training = find_labelled(Path(data), "train")
    held_out = find_labelled(Path(data), *HELD_OUT, classes=training.classes)
    steps = len(training) // run.batch_size
    if steps == 0:
        count = len(training)
        raise DataError(f"{data}: {count} training pictures are fewer than one batch of {run.batch_size}")
    preprocess = Preprocess(crop=recipe.size, resize=max(recipe.size), mean=recipe.mean, std=recipe.std)
    torch.manual_seed(run.seed)
    swin = build(replace(variant.spec, drop_path=recipe.drop_path))
    model = Classifier(swin, training.classes, preprocess, smoothing=recipe.augmentation.smoothing)
    folder = RunFolder(Path(out), recipe)
    logger.info(
        "%s on %d pictures of %d classes, watched on %d of %s: %d epochs of %d steps",
        recipe.variant,
        len(training),
        len(training.classes),
        len(held_out),
        held_out.split,
        recipe.schedule.epochs,
        steps,
    )
    kept = KEPT_BYTES // (3 * recipe.size[0] * recipe.size[1])
    fitted, watched = (FittedImages(images, preprocess, kept) for images in (training, held_out))
    run_loop(
        model,
        lambda epoch: training_batches(
            fitted, run.batch_size, recipe.augmentation, seed=run.seed, epoch=epoch
        ),
        lambda: evaluation_batches(watched, EVALUATION_BATCH),
        steps,
        recipe,
        folder,
    )
    card = training_card(recipe.variant, training, held_out, folder.last()["top1"])
    save(model, Path(out) / "model", card=card)
    return model

"""From a recipe and a folder of data to the job that the loop trains, for each task."""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from ..core.spec import Spec
from ..data.layouts import HELD_OUT, find_pictures, find_samples
from ..data.loader import InOrder, Loader
from ..data.preprocess import Preprocess
from ..data.samples import Samples, require_every_class
from ..models.build import build
from ..models.catalogue import find
from ..tasks.classification.data import PrepareEvaluation, PrepareTraining
from ..tasks.classification.model import Classifier
from ..tasks.classification.saved import training_card, write_classifier
from ..tasks.known import Model
from ..tasks.pictures import require_pictures
from ..tasks.simmim.data import Hiding
from ..tasks.simmim.model import SimMIM
from ..tasks.simmim.saved import pretraining_card, write_simmim
from ..tasks.simmim.shown import write_reconstructions
from ..tasks.transfer import classifier_from
from ..weights.load import load_weights
from .job import Job
from .recipe import Recipe
from .run import LAST

EVALUATION_BATCH = 64


def job_of(recipe: Recipe, data: Path, initial: Model | None = None) -> Job:
    """What `recipe` trains on `data`; the weights begin as those of `initial`, or else as drawn.

    Raises:
        DataError: the data have no such splits, or a class without pictures.
        UsageError: the recipe's variant is unknown or takes no pictures.
    """
    require_pictures(find(recipe.variant)[1].spec)
    torch.manual_seed(recipe.run.seed)
    return JOBS[recipe.task](recipe, data, initial)


def classification(recipe: Recipe, data: Path, initial: Model | None) -> Job:
    """Labelled pictures, and a classifier of as many classes."""
    training = find_samples(data, "train")
    held_out = find_samples(data, *HELD_OUT, classes=training.classes)
    require_every_class(training)
    require_every_class(held_out)
    fit = preprocess_of(recipe)
    if initial is None:
        task = Classifier(build(spec_of(recipe)), training.classes, fit)
    else:
        spec = spec_of(recipe, initial)
        task, _ = classifier_from(initial, training.classes, spec=spec, preprocess=fit)
    task.smoothing = recipe.augmentation.smoothing
    prepare = PrepareTraining(fit, recipe.augmentation, recipe.run.seed)

    def save(folder: Path, scores: dict[str, float]) -> None:
        card = training_card(recipe.variant, training, held_out, scores["top1"])
        write_classifier(task, folder, card)

    return job_with(recipe, data, task, (training, held_out), (prepare, PrepareEvaluation(fit)), save)


def simmim(recipe: Recipe, data: Path, initial: Model | None) -> Job:
    """Pictures alone, and a model that fills in what is hidden of them."""
    training, held_out = find_pictures(data, "train"), find_pictures(data, *HELD_OUT)
    spec, fit = spec_of(recipe, initial), preprocess_of(recipe)
    assert recipe.masking is not None  # as recipes of this task are checked
    task = SimMIM(build(spec), recipe.masking, fit)
    if initial is not None:
        load_weights(task, initial.state_dict(), dialect="swinkit", head="new")
    hiding = Hiding(preprocess=fit, masking=recipe.masking, patch=spec.patch, seed=recipe.run.seed)
    prepare = replace(hiding, augmentation=recipe.augmentation)

    def save(folder: Path, scores: dict[str, float]) -> None:
        write_simmim(task, folder, pretraining_card(recipe.variant, task, training, scores))
        if folder.name == LAST:  # which is written after every epoch
            write_reconstructions(task, held_out, folder.parent)

    return job_with(recipe, data, task, (training, held_out), (prepare, hiding), save)


def job_with(
    recipe: Recipe,
    data: Path,
    task: Model,
    samples: tuple[Samples, Samples],
    prepare: tuple[Any, Any],
    save: Callable[[Path, dict[str, float]], None],
) -> Job:
    """A job on `samples`, those of training and those held out, which `prepare` makes batches of."""
    settings, (training, held_out) = recipe.data, samples

    def loader(micro_batch: int) -> Loader[Any]:
        return Loader(
            training,
            prepare[0],
            micro_batch=micro_batch,
            seed=recipe.run.seed,
            workers=settings.workers,
            max_bad_fraction=settings.max_bad_fraction,
        )

    watched = InOrder(held_out, prepare[1], batch_size=EVALUATION_BATCH, workers=settings.workers)
    classes = f" of {len(training.classes)} classes" if training.classes else ""
    return Job(
        title=f"{recipe.variant} on {len(training)} pictures{classes}, watched on {len(held_out)} "
        f"of {held_out.split}",
        task=task,
        loader=loader,
        validation=watched.batches,
        config={
            "data": str(data.absolute()),
            "fingerprints": {
                "training": {"pictures": len(training), "sha256": training.fingerprint},
                "held out": {"pictures": len(held_out), "sha256": held_out.fingerprint},
            },
            "recipe": asdict(recipe),
        },
        save=save,
    )


def spec_of(recipe: Recipe, initial: Model | None = None) -> Spec:
    """The recipe's; its border is the one that the weights it starts from were trained under."""
    spec = replace(find(recipe.variant)[1].spec, drop_path=recipe.drop_path)
    if initial is None:
        return spec
    old = initial.backbone.spec
    return replace(spec, border=old.border, clipped_bias=old.clipped_bias)


def preprocess_of(recipe: Recipe) -> Preprocess:
    """How the model will see pictures in use."""
    data = recipe.data
    return Preprocess(
        crop=data.size,
        resize=data.resize,
        interpolation=data.interpolation,
        mean=data.mean,
        std=data.std,
    )


JOBS: dict[str, Callable[[Recipe, Path, Model | None], Job]] = {
    "classification": classification,
    "simmim": simmim,
}

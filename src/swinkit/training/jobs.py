"""From a recipe and a folder of data to the job that the loop trains, for each task."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ..core.spec import Spec
from ..data.dataset import ALL, HELD_OUT, TRAIN, ImageDataset, require_every_class
from ..data.find_dataset import find_inputs, find_samples
from ..data.loader import InOrder, Loader
from ..data.preprocess import Preprocess
from ..errors import DataError, UsageError
from ..models.build import build
from ..models.catalogue import find
from ..runs.config_diff import CLASSES, COUNT, PICTURES, PLACE, RECIPE, TRAINING, WRITTEN
from ..runs.folder import CONFIG, LAST, RunFolder, recorded_config
from ..runs.step_report import spelled
from ..settings.recipe import Recipe
from ..tasks.classification.data import PrepareEvaluation, PrepareTraining
from ..tasks.classification.figures import draw_evaluation
from ..tasks.classification.model import Classifier
from ..tasks.classification.predictions import Answers
from ..tasks.classification.serialization import training_card, write_classifier
from ..tasks.classification.settings import ClassificationRecipe
from ..tasks.evaluations import protocol
from ..tasks.observed import Observed
from ..tasks.registry import Model, read_model
from ..tasks.simmim.evaluation import MaskedEvaluation, as_measured
from ..tasks.simmim.figures import write_reconstructions
from ..tasks.simmim.model import SimMIM
from ..tasks.simmim.serialization import pretraining_card, write_simmim
from ..tasks.simmim.settings import SimMIMRecipe
from ..tasks.transfer import classifier_from, match_head
from ..weights.load import load_weights
from ..weights.report import LoadReport
from ..zoo.hub_data import located
from .job import Job


def model_so_far(recipe: Recipe, out: Path) -> Model | None:
    """The latest model of the run in `out`, if the training goes on there.

    It stands in for what `recipe.init` named, which may be gone by now or out of reach, and of whose weights
    the checkpoint has what became.
    """
    if not (any(RunFolder(out).checkpoints) and (out / LAST).is_dir() and (out / CONFIG).is_file()):
        return None
    before = recorded_config(out).get(RECIPE, {})
    if any(before.get(name) != getattr(recipe, name) for name in ("task", "variant", "init")):
        return None
    with suppress(DataError):  # a damaged one is none
        return read_model(out / LAST)
    return None


def job_of(recipe: Recipe, data: Path, initial: Model | None = None) -> Job:
    """What `recipe` trains on `data`; the weights begin as those of `initial`, or else as drawn.

    Raises:
        DataError: the data have no such splits, or a class without pictures.
        UsageError: the recipe's variant is unknown, or takes nothing of this kind.
        EnvironmentProblem: the data are on the hub, and cannot be had.
    """
    require_axes(recipe)
    torch.manual_seed(recipe.run.seed)
    return JOBS[recipe.task](recipe, located(data), initial)


def classification(recipe: Recipe, data: Path, initial: Model | None) -> Job:
    """Labelled pictures, and a classifier of as many classes."""
    training = find_samples(data, TRAIN)
    held_out = find_samples(data, *HELD_OUT, classes=training.classes)
    require_every_class(training)
    require_every_class(held_out)
    preprocess = preprocess_of(recipe)
    if initial is None:
        task, notes = Classifier(build(spec_of(recipe)), training.classes, preprocess), as_drawn(recipe)
    else:
        spec = spec_of(recipe, initial)
        task, report = classifier_from(initial, training.classes, spec=spec, preprocess=preprocess)
        notes = as_given(recipe, report)
        if report.mapped:
            notes["head"] = report.mapped["head.classifier.weight"]
        elif isinstance(initial, Classifier):
            notes["head"] = match_head(task, initial)
    assert isinstance(recipe, ClassificationRecipe)
    task.smoothing = recipe.augmentation.smoothing
    prepare = PrepareTraining(preprocess, recipe.augmentation, recipe.run.seed, len(training.classes))

    def save(folder: Path, scores: dict[str, float]) -> None:
        card = training_card(recipe.variant, training, held_out, scores["top1"])
        stated = protocol(recipe.task, held_out, preprocess)
        write_classifier(task, folder, card, {**stated, **spelled(scores), "pictures": len(held_out)})

    def draw(run: Path, observed: Observed) -> None:
        draw_evaluation(Answers.of_records(observed.records), held_out, task.labels, run)

    splits = Splits(training, held_out, prepare, PrepareEvaluation(preprocess))
    return job_with(recipe, data, task, splits, save, draw, notes)


def simmim(recipe: Recipe, data: Path, initial: Model | None) -> Job:
    """Pictures alone, and a model that fills in what is hidden of them."""
    spec, preprocess = spec_of(recipe, initial), preprocess_of(recipe)
    training, held_out = (find_inputs(data, preprocess, *splits) for splits in ((TRAIN,), HELD_OUT))
    if training.split == ALL != held_out.split:  # all, those of `held_out` included
        raise DataError(
            f"{data}: {held_out.split} is there to be watched, but no {TRAIN} to learn from; call its folder "
            f"{TRAIN}, or give a folder without {held_out.split}"
        )
    assert isinstance(recipe, SimMIMRecipe)
    task = SimMIM(build(spec), recipe.masking, preprocess)
    notes = as_drawn(recipe)
    if initial is not None:
        report = load_weights(task, initial.state_dict(), dialect="swinkit", head="new")
        notes = as_given(recipe, report)
    hiding = as_measured(preprocess, recipe.masking, spec.patch)
    prepare = replace(hiding, seed=recipe.run.seed, augmentation=recipe.augmentation)

    def save(folder: Path, scores: dict[str, float]) -> None:
        card = pretraining_card(recipe.variant, task, training, held_out, scores)
        stated = MaskedEvaluation(task, held_out, scores).to_json()
        write_simmim(task, folder, card, stated | spelled(scores))

    def draw(run: Path, observed: Observed) -> None:  # noqa: ARG001  what it makes of pictures says more
        write_reconstructions(task, held_out, run)

    return job_with(recipe, data, task, Splits(training, held_out, prepare, hiding), save, draw, notes)


@dataclass(frozen=True)
class Splits:
    """The samples of a training and those held out, and what makes batches of each."""

    training: ImageDataset
    held_out: ImageDataset
    prepare: Any
    prepare_held_out: Any


def job_with(
    recipe: Recipe,
    data: Path,
    task: Model,
    splits: Splits,
    save: Callable[[Path, dict[str, float]], None],
    draw: Callable[[Path, Observed], None],
    notes: Mapping[str, str],
) -> Job:
    """What all tasks have in common."""
    settings, training, held_out = recipe.data, splits.training, splits.held_out

    def loader(micro_batch: int) -> Loader[Any]:
        return Loader(
            training,
            splits.prepare,
            micro_batch=micro_batch,
            seed=recipe.run.seed,
            workers=settings.workers,
            max_bad_fraction=settings.max_bad_fraction,
        )

    def validation(batch_size: int) -> InOrder[Any]:
        return InOrder(held_out, splits.prepare_held_out, batch_size=batch_size, workers=settings.workers)

    classes = f" of {len(training.classes)} classes" if training.classes else ""
    watched = f"watched on {len(held_out)} of {held_out.split}"
    return Job(
        title=f"{recipe.variant} on {len(training)} pictures{classes}, {watched}",
        task=task,
        loader=loader,
        validation=validation,
        config=config_of(recipe, data, training, held_out),
        save=save,
        draw=draw,
        notes=notes,
    )


def config_of(recipe: Recipe, data: Path, training: ImageDataset, held_out: ImageDataset) -> dict[str, Any]:
    """What must be the same when a run is resumed, and where the data lie."""
    classes = {CLASSES: list(training.classes)} if training.classes else {}
    return {
        **classes,
        PLACE: str(data.absolute()),
        PICTURES: {
            name: {COUNT: len(split), "sha256": split.fingerprint, WRITTEN: split.written}
            for name, split in ((TRAINING, training), ("held out", held_out))
        },
        RECIPE: asdict(recipe),
    }


def require_axes(recipe: Recipe) -> None:
    """Raise UsageError unless the variant takes what `data.size` tells of, and the task learns from it."""
    axes, given = len(find(recipe.variant)[1].spec.patch), len(recipe.data.size)
    if axes != given:
        sizes = {2: "[height,width]", 3: "[frames,height,width]"}
        kinds = {2: "pictures", 3: "clips or volumes"}
        raise UsageError(
            f"{recipe.variant} takes {kinds.get(axes, f'{axes} axes')}, and data.size is of {kinds[given]}; "
            f"give data.size={sizes.get(axes, 'of as many numbers')}"
        )
    if recipe.task != "simmim" and axes != 2:
        raise UsageError(
            f"{recipe.variant} takes clips or volumes, from which only `swinkit pretrain` learns yet"
        )
    channels = len(recipe.data.mean)
    if recipe.task != "simmim" and channels != 3:
        raise UsageError(
            f"data.mean is of {channels} channels, from which only `swinkit pretrain` learns yet; "
            f"pictures have three"
        )


def as_drawn(recipe: Recipe) -> dict[str, str]:
    """What is said of weights that begin at random."""
    return {"weights": f"new, drawn by run.seed={recipe.run.seed}"}


def as_given(recipe: Recipe, report: LoadReport) -> dict[str, str]:
    """What is said of weights that begin as another model's."""
    changes = {"resized": report.resized, "inflated": report.inflated, "adapted": report.adapted}
    told = [f"{report.loaded} tensors", *(f"{len(made)} {name}" for name, made in changes.items() if made)]
    return {"weights": f"of {recipe.init or 'the given model'}: {', '.join(told)}"}


def spec_of(recipe: Recipe, initial: Model | None = None) -> Spec:
    """The recipe's; its border is the one that the weights it starts from were trained under."""
    spec = find(recipe.variant)[1].spec
    spec = replace(spec, drop_path=recipe.drop_path, in_channels=len(recipe.data.mean))
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

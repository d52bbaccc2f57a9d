"""The functions of `swinkit.*`: from a name, a file or a folder to a model, and back.

Each function imports what it needs when it is called, so that `import swinkit` imports no torch, and a
prediction nothing that trains.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import EnvironmentProblem, UsageError, require
from .type_check import expand_home, require_kind, require_path

if TYPE_CHECKING:
    from torch import nn

    from .core.backbone import Swin
    from .core.spec import Spec
    from .exporting.convert import Conversion
    from .heads.pyramid import Pyramid
    from .models.given_windows import Sides
    from .models.specs import Variant
    from .runs.step_report import Reporting
    from .settings.recipe import Recipe
    from .tasks.evaluation import Evaluation, Progress
    from .tasks.publication import Publication
    from .tasks.task import Task
    from .training.job import Job
    from .zoo.checkpoints import Checkpoint

logger = logging.getLogger(__name__)

Model = TypeVar("Model", bound="nn.Module")

__all__ = [
    "backbone",
    "checkpoints",
    "convert",
    "evaluate",
    "load",
    "optimize",
    "push",
    "save",
    "train",
    "variants",
]


def to_stderr(text: str) -> None:
    """Print a report to stderr."""
    print(text, file=sys.stderr)


def to_nowhere(text: str) -> None:
    """Drop a report that the caller gives in its own words."""


def variants() -> dict[str, Variant]:
    """Return every model that can be built by name, with its numbers."""
    from .models.specs import VARIANTS

    return dict(VARIANTS)


def checkpoints(variant: str | None = None) -> list[Checkpoint]:
    """Return the published checkpoints of one variant, or all: names, addresses, licences, reported accuracy.

    Raises:
        UsageError: the variant is unknown.
    """
    from .models.catalogue import find_variant
    from .zoo.checkpoints import checkpoints_of, published_checkpoints

    require_kind(variant, str | None, "variant")
    return (
        list(published_checkpoints().values())
        if variant is None
        else checkpoints_of(find_variant(variant)[0])
    )


def backbone(name: str, **changes: Any) -> Swin:
    """Build a backbone with random weights.

    It maps pixels (B, in_channels, *P) of any size to a list of feature maps (B, *S, C), finest first.
    `changes` replace fields of its `Spec`, for example `in_channels=1`, `drop_path=0.1` or `border="pad"`.

    Raises:
        UsageError: a name or field is unknown, or no Swin can be built from the values.
    """
    from .models.build import build
    from .models.catalogue import find_variant

    require_kind(name, str, "name")
    _, variant = find_variant(name)
    return build(changed(variant.spec, changes))


def changed(spec: Spec, changes: dict[str, Any]) -> Spec:
    """Return `spec` with some fields replaced.

    Raises:
        UsageError: a field is unknown, or no Swin can be built from the values.
    """
    from dataclasses import fields, replace

    from .models.catalogue import suggest
    from .models.config import require_plausible

    known = [field.name for field in fields(spec)]
    for field in changes:
        if field not in known:
            kind = type(spec).__name__
            raise UsageError(
                f"a {kind} has no field {field!r}{suggest(field, known)} (known: {', '.join(known)})"
            )
    try:
        made = replace(spec, **changes)
        require_plausible(vars(made))
        return made
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from None


def load(
    source: str | os.PathLike[str] | None = None,
    *,
    variant: str | None = None,
    window: Sides | None = None,
    pretrained_window: Sides | None = None,
    labels: Sequence[str] | None = None,
    head: str = "same",
    tables: str | None = None,
    entry: str | None = None,
    dialect: str | None = None,
    channels: int | None = None,
    precision: str = "fp32",
    reporting: Callable[[str], object] = to_stderr,
) -> Task | Pyramid | Swin:
    """Load a model with its weights, in eval mode; without `source`, the small one that comes with swinkit.

    `source` is one of:

    * a folder that `save` wrote, or timm, transformers or `convert` in their layout;
    * the name of a published checkpoint, such as `swin-t/imagenet-1k` (`checkpoints` lists them);
    * a repository of the Hugging Face hub, `hf:org/name` or `hf:org/name@revision`;
    * a file of weights in the names of any known library.

    The result is a model of a task (a `Classifier`, or a `SimMIM` with its decoder), a `Pyramid` (the
    backbone of a detector or segmenter) or a bare `Swin`, whatever the file holds. A model that is no saved
    one runs under the border policy of the library that trained it, and `reporting` is called with a report
    on every tensor; by default it is printed to stderr. Downloads are kept in a cache (`swinkit cache`).

    Args:
        source: where the model lies.
        variant: the architecture, where neither the file nor its name says it.
        window: the side of the windows in tokens, for all stages or for each (timm cuts those that are wider
            than the grid of their stage), where no tensor tells it, as in V2; in V1 the tables of biases are
            resized to it.
        pretrained_window: the same of the pre-training of a V2; None for its windows, or the variant's own.
        labels: the names of the classes.
        head: what to do with a head of other classes: "same" refuses it, "new" begins one for `labels`,
            "mapped" takes the rows of ImageNet-1k out of a head of ImageNet-22k, "none" reads the backbone
            alone. With "new" and "none" the file may have a head of any kind. With "new" and `labels`, a
            saved model begins a classifier with its backbone.
        tables: how to resize bias tables of other windows: "bicubic", "geometric", or None for the way of
            the library.
        entry: which weights to take of a training run that saved several, such as "model_ema"; None for the
            raw ones.
        dialect: the library whose names the tensors have, where the names of two fit.
        channels: how many input channels the model takes; the filters of weights for others are summed for
            one, else repeated in turn and scaled. None for those of the weights.
        precision: "fp32", or "file" for that in which the file was written. A saved model has its own.
        reporting: called with the report.

    Raises:
        DataError: a file or folder is missing or damaged, or holds tensors that cannot be explained.
        UsageError: a name or precision is unknown, or the architecture of a file must be named.
        EnvironmentProblem: it cannot be downloaded: no network, no space, or `$SWINKIT_OFFLINE` is set.
    """
    from .zoo.resolve import resolve_model

    if source is not None:
        require_path(source, "source")
    require(variant is None or isinstance(variant, str), "variant", variant, "text or None")
    if labels is not None:
        from .data.classes import require_labels

        labels = require_labels(labels)
    require(precision in ("fp32", "file"), "precision", precision, "'fp32' or 'file'")
    found = resolve_model(source)
    if found.path.is_dir() and not found.ranked:
        if (window, pretrained_window) != (None, None):
            raise UsageError("window and pretrained_window are for files; a saved model has its own")
        options = (variant, labels, head, tables, entry, dialect)
        return take_channels(load_folder(found.path, *options, reporting=reporting), channels, reporting)
    from dataclasses import replace

    from .models.given_windows import GivenWindows
    from .tasks.from_checkpoint import load_file

    facts = replace(found.facts, windows=GivenWindows(window, pretrained_window))
    if variant is not None:
        facts = replace(facts, variant=variant, spec=None, preprocess=None, is_published=False)
    if labels is not None:
        facts = replace(facts, labels=labels)
    if dialect is not None:
        facts = replace(facts, dialect=dialect)
    model, report = load_file(found.path, facts, head=head, tables=tables, entry=entry, precision=precision)
    reporting("\n  ".join([report, *found.said]))
    return take_channels(model, channels, reporting)


def take_channels(model: Model, channels: int | None, reporting: Callable[[str], object]) -> Model:
    """Return the model for so many input channels, and report what was done; None: its own.

    Raises:
        UsageError: they cannot be changed.
    """
    if channels is not None:
        from .tasks.channels import adapt_model

        reporting(adapt_model(model, channels))
    return model


def load_folder(
    folder: Path,
    variant: str | None,
    labels: Sequence[str] | None,
    head: str,
    tables: str | None,
    entry: str | None,
    dialect: str | None,
    *,
    reporting: Callable[[str], object],
) -> Task:
    """Return a saved model, or one of other `labels` that begins with its backbone; options as of `load`.

    Raises:
        DataError: it is no saved model, or damaged.
        UsageError: an option is given that is for files.
    """
    from .tasks.serialization import read_model

    model = read_model(folder)
    if (head, entry, dialect) == ("new", None, None) and labels is not None:
        from .tasks.registry import TASKS, UNNAMED

        model, report = TASKS[UNNAMED]().start_from(model, labels, variant=variant, tables=tables)
        reporting(str(report))
    elif (variant, labels, head, tables, entry, dialect) != (None, None, "same", None, None, None):
        raise UsageError(
            "variant, labels, head, tables, entry and dialect are for files; a saved model has its own "
            "(head='new' with labels begins a classifier with its backbone)"
        )
    return model


def save(model: Task, folder: str | os.PathLike[str], *, card: str | None = None) -> None:
    """Write a model as a folder that `load` reads: weights, configuration, preprocessing, labels and a card.

    `card` is Markdown in place of the plain model card. Of a model inside `torch.compile`, `DataParallel` or
    `AveragedModel`, the one inside is saved.

    Raises:
        UsageError: `folder` holds something else than a saved model, the model has no task, or it could not
            be loaded again, because it is quantised or pruned or has adapters; with what to do first.
        EnvironmentProblem: it cannot be written; what stood there before is kept.
    """
    from .tasks.serialization import write_model
    from .tasks.task import unwrap

    require_path(folder, "folder")
    require_kind(card, str | None, "card")
    write_model(unwrap(model), expand_home(folder), card)


def convert(
    source: str | os.PathLike[str] | None,
    out: str | os.PathLike[str],
    *,
    to: str,
    variant: str | None = None,
    window: Sides | None = None,
    pretrained_window: Sides | None = None,
    head: str = "same",
    entry: str | None = None,
    dialect: str | None = None,
    channels: int | None = None,
    ranks: int | None = None,
    force: bool = False,
    check: bool = True,
    dry_run: bool = False,
) -> Conversion:
    """Write a model, from anything that `load` reads, as `out` in the layout of another library.

    Where the library is installed, its own model must then give the same outputs as this one, or nothing is
    kept. Tensors are written in the precision of the source, and compared in fp32.

    Args:
        source: as of `load`, like `variant`, `window`, `pretrained_window`, `head`, `entry`, `dialect` and
            `channels`.
        out: a file that ends in .safetensors or .pth, or a folder (transformers, timm, swinkit).
        to: "microsoft", "timm", "torchvision", "transformers", "openmmlab", "swinkit" or a dialect.
        ranks: for how many processes a Swin-MoE is cut, into the folder `out`.
        force: replace an earlier output.
        check: compare the outputs in the library, where it is installed.
        dry_run: find out all that can be known without writing.

    Raises:
        DataError: the source is missing or damaged, or the library gives other outputs.
        UsageError: `to` is unknown or cannot hold the model, with the reason; or `out` exists, or has no
            ending of a known format.
        EnvironmentProblem: `out` cannot be written; nothing is changed then.
    """
    from .exporting.convert import check_request, convert_model

    if source is not None:
        require_path(source, "source")
    require_path(out, "out")
    require_kind(to, str, "to")
    out = expand_home(out)
    check_request(source, out, to, ranks=ranks, force=force)
    model = load(
        source,
        variant=variant,
        window=window,
        pretrained_window=pretrained_window,
        head=head,
        entry=entry,
        dialect=dialect,
        channels=channels,
        precision="file",
    )
    return convert_model(model, out, to, ranks=ranks, force=force, check=check, dry_run=dry_run)


def optimize(model: Model) -> Model:
    """Return the model with its backbone in native code, for inference in fp32 on this machine's CPU.

    The result is of the same class and shares its weights with `model`, which stays as it is. Its outputs
    differ in the last digits of fp32 only, and take half to two thirds of the time. Gradients, training mode,
    another precision, torch.compile and blocks that native code does not know take the plain path; the log
    says so. On a GPU, attention is fused instead, for training too.

    For a model on the CPU the engine is compiled first, unless it was before, which takes seconds. Where that
    fails, as without a C++ compiler, the model runs as it is, and a warning in the log says what to do.
    """
    from torch import nn

    from .engine.attach import copy_with_engines
    from .engine.cpu.build import build_engine as build_engine

    require_kind(model, nn.Module, "model")
    if all(weight.device.type == "cpu" for weight in model.parameters()):
        try:
            build_engine()
        except EnvironmentProblem as problem:
            logger.warning("%s", problem)
    return copy_with_engines(model)


def push(
    model: Task,
    name: str,
    *,
    private: bool = False,
    revision: str | None = None,
    licence: str | None = None,
    dataset: str | None = None,
    card: str | None = None,
    **scores: float | None,
) -> str:
    """Publish a classifier on the Hugging Face hub as `name` (org/name); return the commit's address.

    `load("hf:org/name")` returns the same model, to the bit. Where timm has the architecture, timm and
    transformers read the repository too. The repository is made if there is none.

    Args:
        model: a classifier.
        name: the repository.
        private: whether only you, or your organisation, can see it.
        revision: a branch other than main.
        licence: the hub's short name, such as "mit", for the card.
        dataset: the data set of the scores, for the card.
        card: Markdown in place of the plain text below the card's metadata.
        scores: in [0, 1], of those that the task names; of a classifier `top1`, the accuracy.

    Raises:
        UsageError: the model is no classifier, the name none of a repository, or a score has no data set or
            is unknown to the task.
        EnvironmentProblem: there is no token, no permission or no connection.
    """
    publication = plan_publication(model, name, licence=licence, dataset=dataset, card=card, scores=scores)
    return upload_publication(publication, name, private=private, revision=revision)


def plan_publication(
    model: object,
    name: str,
    *,
    licence: str | None = None,
    dataset: str | None = None,
    card: str | None = None,
    scores: Mapping[str, float | None],
    source: str | None = None,
) -> Publication:
    """Return the repository that `push` would write; nothing is written for it.

    `source` is what the user called the model.

    Raises:
        UsageError: as `push`.
    """
    from .tasks.publication import Claims
    from .tasks.registry import require_publishable, task_type_of
    from .tasks.serialization import pack_model
    from .tasks.task import unwrap

    model = require_publishable(unwrap(model), "model" if source is None else source)
    task_type = task_type_of(model)
    pack_model(model)  # refuses one that could not be read again
    require_kind(name, str, "name")
    given = {key: score for key, score in scores.items() if score is not None}
    for key in given:
        if key not in task_type.claimed_scores:
            expected = ", ".join(task_type.claimed_scores) or "none"
            raise UsageError(f"push() got an unknown score {key!r}; expected {expected}")
    claims = Claims(licence=licence, dataset=dataset, scores=given, card=card)
    return task_type.publication(model, name, claims)


def upload_publication(
    publication: Publication, name: str, *, private: bool = False, revision: str | None = None
) -> str:
    """Write a publication as the repository `name` of the hub; return the commit's address.

    Raises:
        UsageError: the name is none of a repository.
        EnvironmentProblem: there is no token, no permission or no connection.
    """
    from tempfile import TemporaryDirectory

    from .files.folder import write_folder
    from .version import __version__
    from .zoo.hub import upload

    with TemporaryDirectory() as place:
        folder = Path(place) / "model"
        write_folder(folder, publication.saved)
        return upload(folder, name, private=private, revision=revision, message=f"swinkit {__version__}")


def evaluate(
    model: Task,
    data: str | os.PathLike[str],
    *,
    split: str = "test",
    batch_size: int = 64,
    workers: int = 0,
    progress: Progress = nullcontext,
) -> Evaluation:
    """Measure a model, on the device where it is, on every picture of a split of `data`.

    Returns an `Evaluation`, which prints its scores, is written by `save`, and is compared by `against`
    another one. That of a classifier has `top1`, `top5`, a row for each class and the answer to each picture;
    that of a pre-trained model, the share of the hidden pixels' spread that it explains.

    Args:
        model: a model of a task.
        data: a folder or zip with SPLIT/CLASS/picture, another layout of docs/data.md, or `hf:org/name`.
        split: the part of the data.
        batch_size: pictures at a time.
        workers: processes that read pictures; 0 for this one.
        progress: wraps the iteration over the numbers of the pictures, e.g. `tqdm`.

    Raises:
        DataError: there is no such split, it has classes unknown to the model, a picture cannot be read (none
            is left out), or scores are not finite.
        UsageError: the model has no task or does not take RGB pictures, or a number is too small.
        EnvironmentProblem: the data are on the hub, and cannot be downloaded.
    """
    from dataclasses import replace

    from .tasks.registry import evaluation_files, require_known_task, task_type_of
    from .zoo.hub_data import locate_data

    task_type = task_type_of(require_known_task(model, "model"))
    require_path(data, "data")
    require_kind(split, str, "split")
    require_kind(batch_size, int, "batch_size")
    require_kind(workers, int, "workers")
    require(batch_size >= 1, "batch_size", batch_size, "1 or more")
    require(workers >= 0, "workers", workers, "0 or more")
    samples = task_type.samples(model, locate_data(data), split)
    found = task_type.evaluate(model, samples, batch_size=batch_size, workers=workers, progress=progress)
    return replace(found, replaceable=evaluation_files())


def train(
    recipe: Recipe | str,
    data: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    allow_changes: bool = False,
    reporting: Reporting | None = None,
) -> Task:
    """Train by `recipe` on `data` in the run folder `out`; return the best model, as `load(out/best)` does.

    A training that was stopped continues when it is called again with the same `out`, to the same weights.

    Args:
        recipe: a `Recipe`, or the name of one that `swinkit recipes` lists.
        data: a folder or zip of train|val/CLASS/picture, another layout of docs/data.md, or `hf:org/name`.
            Without a `val` (or `valid`, `validation`), `test` is held out instead.
        out: the folder of the run.
        allow_changes: continue although the recipe or the data are others than before, which is refused else.
        reporting: called with a `Report` after every step, and with lines of text; None logs them.

    Raises:
        DataError: the data have no such splits, fewer training pictures than one batch, or too many pictures
            that cannot be read; or the loss stays infinite or NaN.
        UsageError: the recipe or its variant is unknown or does not take pictures, or `out` holds another
            training.
        EnvironmentProblem: `out` cannot be written, or something that the recipe asks for is missing.
        KeyboardInterrupt, SystemExit: it was interrupted, or terminated; the step was finished, and saved.
    """
    from .recipes.catalogue import find
    from .runs.folder import BEST, RunFolder
    from .runs.step_report import log_lines
    from .settings.recipe import Recipe
    from .tasks.serialization import read_model
    from .training.loop import train as run_loop

    require_path(data, "data")
    require_path(out, "out")
    if isinstance(recipe, str):
        recipe = find(recipe)
    if not isinstance(recipe, Recipe):
        raise UsageError(f"recipe is a {type(recipe).__name__}; give a Recipe, or the name of one")
    data, out = expand_home(data), expand_home(out)
    job = prepared(recipe, data, out)
    run_loop(job, recipe, RunFolder(out), allow_changes=allow_changes, reporting=reporting or log_lines)
    return read_model(out / BEST)


def initial_model(init: str) -> Any:
    """Return the model that a training begins with.

    Raises:
        DataError, UsageError, EnvironmentProblem: as `load`.
    """
    try:
        return load(init, reporting=to_nowhere)
    except UsageError as error:
        if not Path(init).is_file():
            raise
        raise UsageError(
            f"{error}; for a training, save a folder first: `swinkit convert {init} FOLDER --to swinkit` "
            "with these options, then init=FOLDER"
        ) from None


def prepared(recipe: Recipe, data: Path, out: Path) -> Job:
    """Return the job that `train` would run in the folder `out`; nothing is written for it.

    Raises:
        DataError, UsageError, EnvironmentProblem: as `train`.
    """
    from .data.dataset import ALL
    from .data.find_dataset import refuse_place
    from .tasks.registry import require_known_task
    from .training.job import hold_out_of, job_of, model_so_far

    refuse_place(out, data)
    initial = None
    if recipe.init is not None:
        found = model_so_far(recipe, out) or initial_model(recipe.init)
        initial = require_known_task(found, f"init={recipe.init}")
    job = job_of(recipe, data, initial, out)
    refuse_place(out, data, split=ALL if hold_out_of(recipe) is not None else job.training.split)
    return job

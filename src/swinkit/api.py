"""The functions of `swinkit.*`: from a name, a file or a folder to a model, and back."""

import logging
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .core.backbone import Swin
from .core.spec import Spec
from .data.find_dataset import lies_in_split
from .engine.attach import Model, copy_with_engines
from .engine.cpu.build import build as build_engine
from .errors import EnvironmentProblem, UsageError, require
from .exporting.convert import Conversion, check_request, convert_model
from .heads.pyramid import Pyramid
from .models.build import build
from .models.catalogue import did_you_mean, find
from .models.plausible import require_plausible
from .models.specs import VARIANTS, Variant
from .recipes.catalogue import find as find_recipe
from .runs.folder import BEST, RunFolder
from .runs.step_report import Reporting, logged
from .settings.recipe import Recipe
from .tasks.classification.evaluation import Evaluation, measured, pictures_for
from .tasks.classification.hub_repo import Claims, publication
from .tasks.classification.model import Classifier
from .tasks.evaluations import Watching
from .tasks.from_checkpoint import load_file
from .tasks.registry import read_model, write_model
from .tasks.simmim.evaluation import MaskedEvaluation, inputs_in
from .tasks.simmim.evaluation import measured as measured_masked
from .tasks.simmim.model import SimMIM
from .tasks.transfer import begun_anew
from .training.batch_plan import EVALUATED
from .training.job import Job
from .training.jobs import job_of, model_so_far
from .training.loop import train as run_loop
from .version import __version__
from .weights.rank_files import is_ranked
from .zoo.checkpoints import Checkpoint, of_variant, published
from .zoo.hub import upload
from .zoo.hub_data import located
from .zoo.resolve import find_source

logger = logging.getLogger(__name__)

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
    """Print it."""
    print(text, file=sys.stderr)


def unheard(text: str) -> None:
    """Print nothing: the caller says as much in its own words."""


def variants() -> dict[str, Variant]:
    """Every model that can be built by name, and its numbers."""
    return dict(VARIANTS)


def checkpoints(variant: str | None = None) -> list[Checkpoint]:
    """The published checkpoints, of one model or of all: names, addresses, licences, what was reported.

    Raises:
        UsageError: an unknown variant.
    """
    return list(published().values()) if variant is None else of_variant(find(variant)[0])


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
        made = replace(spec, **changes)
        require_plausible(vars(made))
        return made
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from None


def load(
    source: str | os.PathLike[str] | None = None,
    *,
    variant: str | None = None,
    labels: Sequence[str] | None = None,
    head: str = "same",
    tables: str | None = None,
    entry: str | None = None,
    dialect: str | None = None,
    precision: str = "fp32",
    reporting: Callable[[str], object] = to_stderr,
) -> Classifier | Pyramid | SimMIM | Swin:
    """A model with weights, in eval mode; without `source`, the small one that comes with swinkit.

    `source` is a folder that `save` wrote, or timm, transformers or `convert` in their layout; a checkpoint's
    name (`swin-t/imagenet-1k`; `checkpoints` lists them); a repository of the Hugging Face hub
    (`hf:org/name`, `hf:org/name@revision`); or a file of weights in the names of any known library. All but a
    saved model run under the border policy of the library that trained them, and a report of what became of
    every tensor is given to `reporting`, by default to stderr. What comes back is a `Classifier` or, by what
    the file holds, a `Pyramid` (the backbone of a detector or segmenter), a `SimMIM` (with its decoder) or a
    bare `Swin`. What is downloaded is kept in a cache (`swinkit cache`).

    `variant` names the architecture where nothing else tells it, and `labels` the classes; `head` ("same",
    "new" for other `labels`, "mapped" from ImageNet-22k to -1k) and `tables` (None for the file's own way,
    "bicubic", "geometric") say how a head, and bias tables, that do not fit are made to. `entry` names the
    weights to take of a training run that saved several, such as "model_ema"; by default the raw ones.
    `dialect` says whose names they are, where two libraries' fit. `precision` is "fp32", or "file" for that
    in which a file was written; a saved model has the one that it was saved in.
    A saved model has its own of all these; `head="new"` with `labels` begins a classifier with its backbone.

    Raises:
        DataError: a file or folder is missing or damaged, or holds tensors that cannot be explained.
        UsageError: an unknown name or precision, or a file whose architecture must be named.
        EnvironmentProblem: it cannot be downloaded: no network, no space, or `$SWINKIT_OFFLINE` is set.
    """
    require(precision in ("fp32", "file"), "precision", precision, "'fp32' or 'file'")
    found = find_source(source)
    if found.path.is_dir() and not is_ranked(found.path):
        model = read_model(found.path)
        if (head, entry, dialect) == ("new", None, None) and labels is not None:
            model, report = begun_anew(model, labels, variant=variant, tables=tables)
            reporting(str(report))
            return model
        if (variant, labels, head, tables, entry, dialect) != (None, None, "same", None, None, None):
            raise UsageError(
                "variant, labels, head, tables, entry and dialect are for files; a saved model has its own "
                "(head='new' with labels begins a classifier with its backbone)"
            )
        return model
    facts = found.facts
    if variant is not None:
        facts = replace(facts, variant=variant, spec=None, preprocess=None)
    if labels is not None:
        facts = replace(facts, labels=tuple(labels))
    if dialect is not None:
        facts = replace(facts, dialect=dialect)
    model, report = load_file(found.path, facts, head=head, tables=tables, entry=entry, precision=precision)
    reporting("\n  ".join([report, *found.said]))
    return model


def save(model: Classifier | SimMIM, folder: str | os.PathLike[str], *, card: str | None = None) -> None:
    """Write a model as a folder that `load` reads: weights, configuration, preprocessing, labels and a card.

    Raises:
        UsageError: `folder` holds something else than a saved model, or the model has no task.
        EnvironmentProblem: it cannot be written; what stood there before is kept.
    """
    write_model(model, Path(folder), card)


def convert(
    source: str | os.PathLike[str] | None,
    out: str | os.PathLike[str],
    *,
    to: str,
    variant: str | None = None,
    head: str = "same",
    entry: str | None = None,
    dialect: str | None = None,
    ranks: int | None = None,
    force: bool = False,
    check: bool = True,
    dry_run: bool = False,
) -> Conversion:
    """Write what `load` reads as `out`, in the layout of another library.

    `variant`, `head`, `entry` and `dialect` are those of `load`. `to` is "microsoft", "timm", "torchvision",
    "transformers", "openmmlab", "swinkit" or a dialect; `out` ends in .safetensors or .pth, or names a folder
    (transformers, timm, swinkit). Where the library is installed, its own model must then answer as this one
    does, or nothing is kept; `check=False` leaves that out. `ranks` cuts a Swin-MoE for as many processes,
    into the folder `out`. Tensors are written in the precision of the source, and compared in fp32.
    `force` replaces an earlier output. `dry_run` finds out all that can be known without writing.

    Raises:
        DataError: the source is missing or damaged, or the library answers otherwise.
        UsageError: `to` is unknown or cannot hold the model, with the reason; or `out` exists, or has no
            ending that tells what to write.
        EnvironmentProblem: `out` cannot be written; nothing is changed then.
    """
    check_request(source, Path(out), to, ranks=ranks, force=force)
    model = load(source, variant=variant, head=head, entry=entry, dialect=dialect, precision="file")
    return convert_model(model, Path(out), to, ranks=ranks, force=force, check=check, dry_run=dry_run)


def optimize(model: Model) -> Model:
    """The model with its backbone in native code, for inference in fp32 on this machine's CPU.

    What comes back is of the same class, shares its weights with `model`, which stays as it is, and follows
    when they change. It answers alike to the last digits of fp32, in half to two thirds of the time.
    Whatever needs more than an answer (gradients, training mode, another precision, torch.compile) takes the
    plain path, as does a block that native code does not know; the log says so. On a GPU, attention is fused
    instead, for training too. For a model on the CPU the engine is compiled first, which takes seconds,
    unless it was before; where that cannot be, as without a C++ compiler, a warning in the log says what to
    do, and the model runs as it is.
    """
    if all(weight.device.type == "cpu" for weight in model.parameters()):
        try:
            build_engine()
        except EnvironmentProblem as problem:
            logger.warning("%s", problem)
    return copy_with_engines(model)


def push(
    model: Classifier,
    name: str,
    *,
    private: bool = False,
    revision: str | None = None,
    licence: str | None = None,
    dataset: str | None = None,
    top1: float | None = None,
    card: str | None = None,
) -> str:
    """Publish a classifier on the Hugging Face hub as `name` (org/name); the address of the commit.

    What comes back by `load("hf:org/name")` is the same to the bit. Where timm has the model, timm and
    transformers read the repository too. The repository is made if there is none; `revision` names another
    branch than main. The card says the `licence` (the hub's short name, such as "mit") and the accuracy
    `top1`, in [0, 1], on `dataset`; `card` is Markdown in place of the plain text below that.

    Raises:
        UsageError: no classifier, no name of a repository, or a result without its data.
        EnvironmentProblem: no token, no permission, no connection.
    """
    if not isinstance(model, Classifier):
        raise UsageError(f"push publishes classifiers, not a {type(model).__name__}")
    claims = Claims(licence=licence, dataset=dataset, top1=top1, card=card)
    with TemporaryDirectory() as place:
        folder = Path(place) / "model"
        publication(model, name, claims).write(folder)
        return upload(folder, name, private=private, revision=revision, message=f"swinkit {__version__}")


def evaluate(
    model: Classifier | SimMIM,
    data: str | os.PathLike[str],
    *,
    split: str = "test",
    batch_size: int = EVALUATED,
    workers: int = 0,
    watching: Watching = nullcontext,
) -> Evaluation | MaskedEvaluation:
    """Measure a model, on the device where it is, on every picture of a split of `data`.

    Of a classifier comes an `Evaluation`: `top1`, `top5`, every answer, a row for each class; `against`
    another one it tells the difference, and `save` writes tables and pictures. Of a pre-trained model comes
    how much it explains of what is hidden. `workers` processes read pictures. `watching` is given the
    numbers of the pictures and shows how they pass, as `tqdm` does.

    Raises:
        DataError: no such split, classes unknown to the model, a picture that cannot be read (none is left
            out), or scores that are not finite.
        UsageError: no model of RGB pictures with a task, or a number that is too small.
        EnvironmentProblem: the data are on the hub, and cannot be had.
    """
    require(batch_size >= 1, "batch_size", batch_size, "1 or more")
    require(workers >= 0, "workers", workers, "0 or more")
    options: dict[str, Any] = {"batch_size": batch_size, "workers": workers, "watching": watching}
    if isinstance(model, Classifier):
        return measured(model, pictures_for(model.labels, located(data), split), **options)
    if isinstance(model, SimMIM):
        return measured_masked(model, inputs_in(located(data), split, model), **options)
    raise UsageError(f"a {type(model).__name__} has no head to evaluate; give a classifier or a SimMIM")


def train(
    recipe: Recipe | str,
    data: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    allow_changes: bool = False,
    reporting: Reporting = logged,
) -> Classifier | SimMIM:
    """Train by `recipe` on `data`, in the run folder `out`; the best model, as `load(out/best)` reads it.

    `recipe` is a `Recipe`, or the name of one that `swinkit recipes` lists, taken as it is.
    `data` is a folder or zip of train|val/CLASS/picture, another layout of docs/data.md, or `hf:org/name`;
    without a `val` (or `valid`, `validation`), `test` is watched instead. A training that was stopped,
    however, goes on when called again with the same `out`, to the same weights; with another recipe or other
    data that is refused, unless `allow_changes`.
    `reporting` is called with a `Report` after every step, and with a line of text at times.

    Raises:
        DataError: the data has no such splits, fewer training pictures than one batch, or too many pictures
            that cannot be read; or the loss is not finite for long.
        UsageError: the recipe or its variant is unknown, that takes no pictures, or `out` holds another
            training.
        EnvironmentProblem: `out` cannot be written, or something that the recipe asks for is missing.
        KeyboardInterrupt, SystemExit: it was interrupted, or terminated; the step was finished, and saved.
    """
    if isinstance(recipe, str):
        recipe = find_recipe(recipe)
    if not isinstance(recipe, Recipe):
        raise UsageError(f"recipe is a {type(recipe).__name__}; give a Recipe, or the name of one")
    if lies_in_split(Path(out), Path(data)):
        raise UsageError(f"{out} lies among the pictures of {data}; choose a folder beside them")
    job = prepared(recipe, Path(data), Path(out))
    run_loop(job, recipe, RunFolder(Path(out)), allow_changes=allow_changes, reporting=reporting)
    return read_model(Path(out) / BEST)


def prepared(recipe: Recipe, data: Path, out: Path) -> Job:
    """What `train` trains in the run folder `out`; nothing is written for it.

    Raises:
        DataError, UsageError, EnvironmentProblem: as `train`.
    """
    initial: Any = None
    if recipe.init is not None:
        initial = model_so_far(recipe, out) or load(recipe.init, reporting=unheard)
    if not isinstance(initial, Classifier | SimMIM | None):
        kind = type(initial).__name__
        raise UsageError(f"init={recipe.init!r} holds a {kind}; give a classifier or a pre-trained SimMIM")
    return job_of(recipe, data, initial)

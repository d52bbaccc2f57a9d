"""A recipe: the complete description of a training, as frozen values, checked when they are made. Torch-free.

Each task has a subclass with fields of its own, in its `settings.py`.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Annotated, Any, ClassVar, Literal, TypeVar, get_type_hints

from ..errors import DataError, require
from ..type_check import require_kinds
from .data import Data
from .optimiser import Optimiser
from .run import Run
from .schedule import Schedule

Settings = TypeVar("Settings")
# Fields that earlier versions recorded for every task, without effect where a task does not have them.
FORMER = tuple(
    f"augmentation.{name}"
    for name in ("erase", "mixup", "cutmix", "mixing", "switch", "mixing_epochs", "smoothing")
)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Complete description of a training: the fields that all tasks share.

    Raises:
        UsageError: together, the fields describe no training.
    """

    task: Annotated[str, "what is learned"]
    variant: Annotated[str, "the model, as `swinkit models` names it"]
    init: Annotated[
        str | None, "weights to begin with: a checkpoint's name, a file or a saved model; null: random"
    ] = None
    frozen_stages: Annotated[
        int | None,
        "stages, from the first, that are frozen with the patches; 0: the patches alone; null: none",
    ] = None
    trainable: Annotated[
        Literal["head", "norms"] | None,
        "the only weights that learn; norms: the backbone's, and the head; null: all",
    ] = None
    drop_path: Annotated[float, "rate of stochastic depth in the last block, rising from 0 in the first"]
    data: Data
    optimiser: Optimiser = field(default_factory=Optimiser)
    schedule: Schedule
    run: Run = field(default_factory=Run)
    essential: ClassVar[tuple[str, ...]] = (  # fields that most trainings set, for a short help page
        *("variant", "init", "frozen_stages", "trainable", "drop_path", "data.workers"),
        *("optimiser.lr", "optimiser.weight_decay", "optimiser.layer_decay"),
        *("schedule.epochs", "schedule.warmup_epochs"),
        *("run.batch_size", "run.micro_batch", "run.precision", "run.compile", "run.checkpointing"),
        *("run.ema", "run.seed", "run.patience", "run.hours", "run.trackers"),
    )
    inapplicable: ClassVar[Mapping[str, str]] = {}  # fields of other tasks, and why they must be 0 here

    def __post_init__(self) -> None:
        """Check every field, and fields against each other."""
        if type(self) is Recipe:
            raise TypeError("make the recipe of a task, such as ClassificationRecipe")
        require_kinds(self)
        require_finite(self)
        frozen = self.frozen_stages
        require(frozen is None or frozen >= 0, "frozen_stages", frozen, "null, or 0 or more")
        require(0 <= self.drop_path < 1, "drop_path", self.drop_path, "in [0, 1)")
        whole = self.optimiser.kind == "adamw" or self.run.sharding == "none"
        require(
            whole, "run.sharding", self.run.sharding, "none for optimiser.kind=muon, which turns matrices"
        )


def require_finite(settings: Any, place: str = "") -> None:
    """Raise UsageError for a number, here or in nested settings, that is infinite or NaN."""
    for each in fields(settings):
        value, name = getattr(settings, each.name), f"{place}{each.name}"
        if is_dataclass(value):
            require_finite(value, f"{name}.")
        for number in value if isinstance(value, tuple) else (value,):
            require(not isinstance(number, float) or math.isfinite(number), name, value, "finite")


def from_json(kind: type[Settings], values: object, name: str = "recipe") -> Settings:
    """Return settings of `kind` from the values that JSON has of them.

    A field that is null may be missing, and one that is unknown may be null: other versions do without it.

    Raises:
        DataError: a field is missing or unknown.
        UsageError: a value that the settings refuse.
    """
    known: dict[str, Any] = {each.name: each.default for each in fields(kind)}  # pyright: ignore[reportArgumentType]
    if not isinstance(values, dict):
        raise DataError(f"{name}: expected an object of fields, got {type(values).__name__}")
    path = name.removeprefix("recipe").lstrip(".")
    given = {
        field: value
        for field, value in values.items()
        if field in known or not (value is None or f"{path}.{field}" in FORMER)
    }
    given |= {field: None for field, default in known.items() if default is None and field not in given}
    wrong = [f"{name}.{field} is missing" for field in sorted(known.keys() - given.keys())]
    wrong += [f"{name}.{field} is not known" for field in sorted(given.keys() - known.keys())]
    if wrong:
        raise DataError(
            f"{', '.join(wrong)}: it was written by another version of swinkit, or by hand; correct it, or "
            "go on with that version (the run's env.json names it)"
        )
    kinds = get_type_hints(kind)
    made: dict[str, Any] = {}
    for field_name, value in given.items():
        if is_dataclass(kinds[field_name]):
            made[field_name] = from_json(kinds[field_name], value, f"{name}.{field_name}")
        else:
            made[field_name] = tuple(value) if isinstance(value, list) else value
    return kind(**made)


def descriptions(settings: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the dotted name and the description of every field, those of nested settings included."""
    kinds = get_type_hints(type(settings), include_extras=True)
    for each in fields(settings):
        value, name = getattr(settings, each.name), f"{prefix}{each.name}"
        if is_dataclass(value):
            yield from descriptions(value, f"{name}.")
        else:
            yield name, kinds[each.name].__metadata__[0]

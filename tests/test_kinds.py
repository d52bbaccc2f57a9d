"""Settings hold what their annotations say, and say so in words when they do not."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pytest

from swinkit.errors import UsageError
from swinkit.settings.data import CroppedData
from swinkit.settings.optimiser import Optimiser
from swinkit.settings.run import Run
from swinkit.settings.schedule import Schedule
from swinkit.tasks.classification.settings import Augmentation
from swinkit.tasks.simmim.settings import Masking
from swinkit.type_check import require_kinds


@dataclass
class Inner:
    number: int = 1


@dataclass
class Settings:
    """One field for each kind of annotation that settings have."""

    whole: int = 1
    share: float = 0.5
    on: bool = False
    name: str | None = None
    way: Literal["near", "far"] = "near"
    size: tuple[int, int] = (2, 3)
    at: tuple[float, ...] = ()
    inner: Inner | None = None


@pytest.mark.parametrize(
    "field",
    [
        {"whole": np.int64(3)},
        {"share": 1},
        {"share": np.float32(0.5)},
        {"on": True},
        {"name": "a"},
        {"way": "far"},
        {"at": (1, 2.5)},
        {"inner": Inner()},
    ],
)
def test_values_of_the_annotated_kind_are_taken(field: dict[str, Any]):
    require_kinds(Settings(**field))


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ({"whole": 1.0}, "x.whole is 1.0; it must be a whole number"),
        ({"whole": True}, "x.whole is True; it must be a whole number"),
        ({"share": "0.5"}, "x.share is '0.5'; it must be a number"),
        ({"on": 1}, "x.on is 1; it must be True or False"),
        ({"name": 3}, "x.name is 3; it must be text or None"),
        ({"way": "left"}, "x.way is 'left'; it must be one of near, far"),
        ({"way": ["near"]}, "x.way is ['near']; it must be one of near, far"),
        ({"size": (2,)}, "x.size is (2,); it must be a tuple (a whole number, a whole number)"),
        ({"size": (2, 3.5)}, "x.size is (2, 3.5); it must be a tuple (a whole number, a whole number)"),
        ({"size": [2, 3]}, "x.size is [2, 3]; it must be a tuple (a whole number, a whole number)"),
        ({"at": (1, None)}, "x.at is (1, None); it must be a tuple, each a number"),
        ({"inner": 2}, "x.inner is 2; it must be Inner or None"),
    ],
)
def test_another_is_refused_in_words(field: dict[str, Any], message: str):
    with pytest.raises(UsageError) as refused:
        require_kinds(Settings(**field), "x.")
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (Augmentation, "augmentation.flip", "often"),
        (Masking, "masking.patch", 16.0),
        (Optimiser, "optimiser.lr", "1e-3"),
        (Schedule, "schedule.epochs", 2.5),
        (CroppedData, "data.interpolation", "nearest"),
        (Run, "run.precision", "int8"),
    ],
)
def test_every_part_of_a_recipe_checks_its_own(kind: Any, name: str, value: object):
    needed: dict[Any, dict[str, Any]] = {
        CroppedData: {"size": (32, 32), "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)},
        Schedule: {"epochs": 5},
    }
    with pytest.raises(UsageError, match=f"^{name} is "):
        kind(**(needed.get(kind, {}) | {name.partition(".")[2]: value}))

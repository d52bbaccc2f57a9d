"""A saved model's preprocessing fits the model, or the folder is damaged and says so."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import swinkit
from swinkit.data.preprocess import Preprocess
from swinkit.errors import DataError
from swinkit.tasks.classification.model import Classifier
from swinkit.tasks.simmim.model import SimMIM
from swinkit.tasks.simmim.settings import Masking
from tests.models.small import small

FIT = Preprocess.to_crop(crop=(32, 64), resize=70)
TASKS: dict[str, Callable[..., Any]] = {
    "classification": lambda family="v1", **changes: Classifier(small(family, **changes), ("a", "b"), FIT),
    "simmim": lambda family="v1", **changes: SimMIM(small(family, **changes), Masking(patch=8), FIT),
}


def changed(folder: Path, **fields: object) -> Path:
    """Return the same folder, with other words in its preprocess.json."""
    path = folder / "preprocess.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))
    return folder


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"mean": [0.5], "std": [0.2]}, "mean and std are of 1, and the model takes 3 channels"),
        ({"mean": [0.5] * 4, "std": [0.2] * 4}, "mean and std are of 4, and the model takes 3 channels"),
        ({"crop": [4, 32, 64]}, r"it is for 3 axes, and the model's pixels have 2 axes"),
    ],
)
def test_what_would_spread_over_other_channels_or_axes_is_refused(tmp_path: Path, task, fields, message):
    swinkit.save(TASKS[task](), tmp_path / "model")
    with pytest.raises(DataError, match=f"model: preprocess.json: {message}"):
        swinkit.load(changed(tmp_path / "model", **fields))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    ("made", "fields"),
    [
        ({}, {}),
        ({"in_channels": 5}, {"mean": [0.5] * 5, "std": [0.2] * 5}),
        ({"in_channels": 5}, {}),
        ({"family": "video"}, {"crop": [4, 32, 64]}),
        ({"family": "video"}, {}),
    ],
    ids=str,
)
def test_what_fits_is_read(tmp_path: Path, task, made, fields):
    swinkit.save(TASKS[task](**made), tmp_path / "model")
    read = swinkit.load(changed(tmp_path / "model", **fields))
    assert read.preprocess == Preprocess.from_json({**FIT.to_json(), **fields})

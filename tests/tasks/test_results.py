"""A result prints, draws, saves itself, and is a value."""

import json
from dataclasses import FrozenInstanceError, replace

import pytest
import torch
from PIL import Image

from swinkit.errors import EnvironmentProblem, UsageError
from swinkit.tasks.classification.results import Classification, best

IMAGE = torch.randint(0, 256, (3, 30, 45), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
RESULT = Classification(
    name="photos/cat.jpg",
    size=(30, 45),
    labels=("cat", "dog", "frog"),
    scores=(0.972, 0.0201, 0.004),
    image=IMAGE,
)


def test_one_readable_line():
    assert str(RESULT) == "photos/cat.jpg 45x30  cat 0.97, dog 0.02, frog 0.00"


def test_it_is_a_value():
    with pytest.raises(FrozenInstanceError):
        RESULT.name = "dog.jpg"
    assert replace(RESULT, image=None) == RESULT
    assert replace(RESULT, name="dog.jpg") != RESULT
    assert "tensor" not in repr(RESULT)


def test_top_keeps_the_best():
    assert (RESULT.top(2).labels, RESULT.top(2).scores) == (("cat", "dog"), (0.972, 0.0201))
    assert RESULT.top(9) == RESULT
    assert RESULT.top(1).image is IMAGE
    with pytest.raises(UsageError, match=r"^top is .*; it must be 1 or more$"):
        RESULT.top(0)


def test_the_json_schema():
    """Other programs rely on these keys."""
    expected = {
        "name": "photos/cat.jpg",
        "image": {"width": 45, "height": 30},
        "predictions": [
            {"label": "cat", "score": 0.972},
            {"label": "dog", "score": 0.0201},
            {"label": "frog", "score": 0.004},
        ],
    }
    assert json.loads(json.dumps(RESULT.to_json())) == expected


def test_best_names_sorts_and_breaks_ties_by_index():
    labels, scores = best(("a", "b", "c", "d"), torch.tensor([0.25, 0.5, 0.0, 0.25]), 3)
    assert labels == ("b", "a", "d")
    assert scores == (0.5, 0.25, 0.25)
    assert len(best(("a", "b"), torch.tensor([0.5, 0.5]), 5)[0]) == 2


@pytest.mark.parametrize("ending", ["png", "jpg", "jpeg", "webp", "bmp", "tif", "TIFF"])
def test_save_writes_the_plot(tmp_path, ending):
    path = tmp_path / f"card.{ending}"
    RESULT.save(path)
    with Image.open(path) as picture:
        assert picture.size == RESULT.plot().size
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("name", ["card.gif", "card", "card.txt"])
def test_an_unknown_ending_is_refused_with_those_known(tmp_path, name):
    with pytest.raises(UsageError, match=r"unknown ending .* \(known: .png, .jpg"):
        RESULT.save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written(tmp_path):
    with pytest.raises(EnvironmentProblem, match=r"card.png cannot be written \(No such file or directory\)"):
        RESULT.save(tmp_path / "no" / "card.png")


def test_a_save_that_fails_midway_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "card.png"
    path.write_bytes(b"old")

    def full(self, target, *arguments, **options):
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(EnvironmentProblem, match="No space left on device"):
        RESULT.save(path)
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["card.png"]

"""The digits of scikit-learn become folders of pictures that the recipe for them can be trained on."""

import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from swinkit.cli.main import main
from swinkit.data.find_dataset import find_samples
from swinkit.recipes.catalogue import find
from swinkit.training.job import job_of

pytest.importorskip("sklearn")
from sklearn.datasets import load_digits

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def example(root: Path) -> dict[str, Any]:
    """Return the script's functions."""
    return runpy.run_path(str(root / "examples" / "digits.py"))


def test_the_first_half_is_to_learn_from_and_the_second_to_be_watched(example, tmp_path, capsys):
    assert example["main"]([str(tmp_path / "digits")]) == 0
    assert capsys.readouterr().out == f"1797 pictures in {tmp_path / 'digits'}\n"
    training, held_out = (find_samples(tmp_path / "digits", split) for split in ("train", "val"))
    assert (len(training), len(held_out)) == (898, 899)
    assert training.classes == held_out.classes == tuple("0123456789")
    pictures, digits = load_digits(return_X_y=True)
    for i in (0, 500, 1796):
        path = tmp_path / "digits" / ("train" if i < 898 else "val") / str(digits[i]) / f"{i:04}.png"
        assert np.array_equal(np.asarray(Image.open(path)), (pictures[i].reshape(8, 8) * 255 / 16).round())
    job = job_of(find("cifar10-swin-pico"), tmp_path / "digits")
    assert "898 pictures of 10 classes" in job.title


def test_the_weights_in_the_package_learn_them_at_once(example, tmp_path):
    """One epoch of twenty."""
    example["main"]([str(tmp_path / "digits")])
    words = ["train", "finetune-swin-pico", f"data={tmp_path / 'digits'}", f"out={tmp_path / 'run'}"]
    short = ["schedule.epochs=1", "schedule.warmup_epochs=0.1"]
    assert main([*words, "augmentation.flip=0", *short]) == 0
    scores = json.loads((tmp_path / "run" / "best" / "metrics.json").read_text())
    assert scores["top1"] > 0.6


def test_what_is_there_is_not_written_over(example, tmp_path, capsys):
    assert example["main"]([str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_without_scikit_learn_the_remedy_is_told(example, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sklearn.datasets", None)
    assert example["main"]([str(tmp_path / "digits")]) == 4
    assert "swinkit[digits]" in capsys.readouterr().err
    assert not (tmp_path / "digits").exists()

"""A training over pictures of which some cannot be read: replaced, counted, listed, and left alone."""

import csv
import hashlib
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from swinkit import api
from swinkit.data.corrupt import CorruptSample, write
from swinkit.data.images import ImageError
from swinkit.errors import DataError
from swinkit.recipes.catalogue import find
from swinkit.runs.step_report import Report

from ..data.pictures import of_two_greys
from ..data.privileges import unprivileged
from .processes import ended, started_together
from .states import epochs

pytestmark = pytest.mark.processes

BAD = {"train/dark/2.png", "train/light/3.png"}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Eight pictures to train on, two of them cut short; two to watch."""
    root, counts = tmp_path_factory.mktemp("pictures") / "data", {"train": 4, "val": 1}
    of_two_greys(root, counts=counts, greys={"dark": 20, "light": 220})
    for name in BAD:
        (root / name).write_bytes((root / name).read_bytes()[:60])
    return root


@pytest.fixture
def data(source, tmp_path):
    """Return a copy that may be changed."""
    return shutil.copytree(source, tmp_path / "data")


@pytest.fixture(scope="module")
def whole(source, tmp_path_factory):
    """Return a training that nothing stopped, its model, and the data before and after."""
    run = tmp_path_factory.mktemp("runs") / "whole"
    before = content(source)
    model = api.train(recipe(), source, run)
    return run, model, before, content(source)


def recipe(epochs=2, workers=0, most=0.25, **run):
    """Four steps an epoch, of a small model."""
    found = find("cifar10-swin-pico")
    return replace(
        found,
        data=replace(found.data, workers=workers, max_bad_fraction=most),
        schedule=replace(found.schedule, epochs=epochs, warmup_epochs=0),
        run=replace(found.run, batch_size=2, **run),
    )


def listed(run):
    """Return the rows of the run's list: which picture, why, and what stood in for it."""
    head, *rows = csv.reader((run / "bad_files.csv").read_text().splitlines())
    assert head == ["id", "reason", "replaced_by"]
    return rows


def content(root):
    """Return a hash of every file and folder, its time of change included."""
    return {
        path: (
            path.stat().st_mtime_ns,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in [root, *root.rglob("*")]
    }


def test_bad_pictures_are_replaced_by_others_of_their_class_and_listed_once(whole):
    rows = listed(whole[0])
    assert sorted(row[0] for row in rows) == sorted(BAD)
    for name, reason, instead in rows:
        assert reason.startswith("cannot be decoded: ")
        assert instead not in BAD
        assert instead.split("/")[1] == name.split("/")[1], "it shows another class"


def counts(run):
    """How many bad pictures each epoch's line of the log tells of."""
    return [epoch["bad"] for epoch in epochs(run)]


def test_the_log_and_the_table_count_them(whole):
    assert counts(whole[0]) == [len(BAD), len(BAD)]
    rows = list(csv.DictReader((whole[0] / "metrics.csv").read_text().splitlines()))
    assert [row["bad"] for row in rows] == [str(len(BAD))] * 2


def test_the_data_are_left_alone(whole):
    assert whole[2] == whole[3]


def test_nothing_depends_on_which_process_met_the_bad_pictures(source, whole, tmp_path):
    other = api.train(recipe(workers=2), source, tmp_path / "run").state_dict()
    assert all(torch.equal(tensor, other[name]) for name, tensor in whole[1].state_dict().items())
    assert sorted(listed(tmp_path / "run")) == sorted(listed(whole[0]))


class Stop(Exception):
    """A process that dies."""


@pytest.mark.parametrize(("steps", "workers"), [(1, 2), (3, 0), (5, 2)])
def test_a_resume_neither_loses_nor_repeats_what_was_listed(source, whole, steps, workers, tmp_path):
    taken = []

    def reporting(said):
        taken.extend([said] if isinstance(said, Report) else [])
        if len(taken) == steps:
            raise Stop

    chosen = recipe(workers=workers, save_every=1)
    with pytest.raises(Stop):
        api.train(chosen, source, tmp_path / "run", reporting=reporting)
    said = []
    api.train(chosen, source, tmp_path / "run", reporting=said.append)
    assert sorted(listed(tmp_path / "run")) == sorted(listed(whole[0]))
    assert counts(tmp_path / "run") == [len(BAD), len(BAD)]
    last = [line for line in said if str(line).startswith("epoch 2 of 2")]
    assert [line.endswith(f"  {len(BAD)} bad pictures replaced") for line in last] == [True]


def test_beyond_the_stated_fraction_it_stops_and_the_list_tells_why(data, tmp_path):
    with pytest.raises(
        DataError, match=r"2 of 8 training pictures cannot be read, more than data\.max_bad_fraction"
    ):
        api.train(recipe(most=0.2), data, tmp_path / "run")
    assert {row[0] for row in listed(tmp_path / "run")} == BAD


def test_what_earlier_parts_met_counts_after_a_resume(source, tmp_path):
    """One picture before the stop, another after it: together they are too many."""
    chosen, first = recipe(most=0.2, save_every=1), "train/dark/2.png"
    run = tmp_path / "run"

    def reporting(said):
        if isinstance(said, Report):
            raise Stop

    with pytest.raises(Stop):
        api.train(chosen, source, run, reporting=reporting)
    write(run / "bad_files.csv", {first: CorruptSample(first, "cut short", "train/dark/0.png")})
    with pytest.raises(DataError, match=r"2 of 8 training pictures cannot be read"):
        api.train(chosen, source, run)
    assert {row[0] for row in listed(run)} == BAD


def test_what_other_processes_met_counts(source, tmp_path):
    """Each of two meets one of eight, and a fifth may be bad."""
    both = started_together(tmp_path / "run", 2, run_pictures, data=str(source), most=0.2)
    assert [ended(each) for each in both] == [3, 3]
    (error,) = (tmp_path / "run.errors").read_text().splitlines()
    assert error.startswith("2 of 8 training pictures cannot be read")


def run_pictures(path, *, data, most, environment):
    """Train on pictures as one of several processes."""
    torch.set_num_threads(1)
    os.environ.update(environment)
    try:
        api.train(recipe(most=most), Path(data), Path(path))
    except DataError as error:
        with Path(f"{path}.errors").open("a") as file:
            file.write(f"{error}\n")
        sys.exit(error.exit_code)


def test_what_was_mended_needs_leave_to_go_on(data, tmp_path):
    with pytest.raises(DataError, match="of 8 training pictures"):
        api.train(recipe(epochs=1, most=0.0), data, tmp_path / "run")
    for name in BAD:
        shutil.copy(data / "train" / name.split("/")[1] / "0.png", data / name)
    with pytest.raises(ValueError, match="the training pictures differ"):
        api.train(recipe(epochs=1, most=0.0), data, tmp_path / "run")
    api.train(recipe(epochs=1, most=0.0), data, tmp_path / "run", allow_changes=True)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_bad_picture_of_validation_is_an_error_that_names_it(data, workers, tmp_path):
    (data / "val" / "dark" / "0.png").write_bytes(b"")
    with pytest.raises(ImageError, match=r"data/val/dark/0\.png: the file is empty"):
        api.train(recipe(workers=workers), data, tmp_path / "run")


def test_data_that_cannot_be_written_are_enough(data, tmp_path):
    for path in [data, *data.rglob("*")]:
        path.chmod(0o500 if path.is_dir() else 0o400)
    with unprivileged():
        api.train(recipe(epochs=1), data, tmp_path / "run")
    for path in [data, *data.rglob("*")]:
        path.chmod(0o700)
    assert len(listed(tmp_path / "run")) == 2

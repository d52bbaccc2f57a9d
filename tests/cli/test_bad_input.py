"""Data with something wrong in it, in every layout: `train` and `data check` say what and where.

What they say is compared to the letter, with SET for the place of the data.
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from swinkit.cli.main import main
from swinkit.recipes.catalogue import find
from swinkit.runs.folder import RunFolder
from swinkit.training.job import job_of

from ..data.layouts import LAYOUTS, whole
from ..data.pictures import picture
from ..data.privileges import unprivileged

RECIPE = "cifar10-swin-pico"
SHORT = ["schedule.epochs=1", "schedule.warmup_epochs=0", "run.batch_size=4"]
BAD = b"no picture"
NO_PICTURE = "not a JPEG, PNG, WEBP, BMP or TIFF picture; convert it to one of these"
MEND = "add some, or take the class out of every split"
NO_SET = (
    "SET: no data set: looked for train, val, valid, validation, test as folders SPLIT/CLASS/picture, as "
    "lists SPLIT.csv or SPLIT.parquet, as tables SPLIT-*.parquet or a DatasetDict saved there, and as shards "
    "SPLIT-*.tar; give data.mean and data.std as well to check pictures without classes"
)
NO_TRAIN = (
    "SET: no split train (expected SPLIT/CLASS/picture.jpg, SPLIT.csv, SPLIT-*.tar or SPLIT-*.parquet; found "
    "nothing)"
)
LISTED = {"lists": ".csv", "parquet": ".parquet"}


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("SWINKIT_CACHE", str(tmp_path / "cache"))


@pytest.fixture(params=LAYOUTS)
def layout(request):
    return request.param


def trained(data, out, capsys, *words):
    """Exit code of `swinkit train`, and its error without the word."""
    code = main(["train", RECIPE, f"data={data}", f"out={out}", *SHORT, *words])
    return code, error(capsys, data)


def error(capsys, data):
    """Return the one line that is an error."""
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) <= 1
    return "".join(lines).removeprefix("error: ").replace(str(data), "SET")


def checked(data, capsys):
    """Exit code of `swinkit data check`, and the problems that it shows; those that block after a `!`."""
    code = main(["data", "check", str(data), "workers=0"])
    told = capsys.readouterr().out.replace(str(data), "SET").splitlines()
    blocking = ["!" + line.removeprefix("BLOCKING  ") for line in told if line.startswith("BLOCKING")]
    return code, blocking + [line.removeprefix("note  ") for line in told if line.startswith("note")]


def place(layout, split, label, number):
    """How a picture is called."""
    return {
        "folders": f"{split}/{label}/{number}.png",
        "zip": f"{split}/{label}/{number}.png",
        "lists": f"pictures/{split}/{number}.png",
        "parquet": f"pictures/{split}/{number}.png",
        "shards": f"{split}-000.tar/{number}.png",
        "tables": f"{split}/{number}",
    }[layout]


def file_of(layout, split, label, number):
    """How messages call its file."""
    sign = ":" if layout in ("zip", "tables") else "/"
    return f"SET{sign}{place(layout, split, label, number)}"


def where(layout, split):
    """Return the arguments that name the labels."""
    return f"SET/{split}{LISTED[layout]}" if layout in LISTED else "SET"


def test_a_class_without_pictures(layout, tmp_path, capsys):
    data = LAYOUTS[layout](tmp_path / "set", whole(), ("cat", "dog", "owl"))
    assert trained(data, tmp_path / "run", capsys) == (3, f"SET: train has no pictures of `owl`; {MEND}")
    told = [f"!empty class: {split} has no pictures of `owl`; {MEND}" for split in ("train", "val")]
    assert checked(data, capsys) == (3, told)
    assert not (tmp_path / "run").exists()


def test_a_class_missing_in_validation(layout, tmp_path, capsys):
    cats = [row for row in whole()["val"] if row[0] == "cat"]
    data = LAYOUTS[layout](tmp_path / "set", whole(val=cats))
    assert trained(data, tmp_path / "run", capsys) == (3, f"SET: val has no pictures of `dog`; {MEND}")
    told = f"!missing class: val has no pictures of `dog`, train has; {MEND}"
    assert checked(data, capsys) == (3, [told])


def test_a_class_of_validation_that_training_does_not_know(layout, tmp_path, capsys):
    data = LAYOUTS[layout](tmp_path / "set", whole(val=[*whole()["val"], ("owl", picture(99))]))
    if layout in ("folders", "zip"):
        known = "(known: `cat`, `dog`)"
        said = f"SET: val has the unknown classes `owl` {known}; rename their folders, or take them out"
    else:
        said = (
            f"{where(layout, 'val')}: the label `owl` of `{place(layout, 'val', 'owl', 4)}` is unknown "
            "(known: `cat`, `dog`); correct it, or take the picture out"
        )
    assert trained(data, tmp_path / "run", capsys) == (3, said)
    told = "!unknown class: val has pictures of `owl`, train has none; add some to it, or take them out"
    assert checked(data, capsys) == (3, [told])


@pytest.mark.parametrize("label", ["7", "-1"])
@pytest.mark.parametrize("layout", ["lists", "parquet", "shards"])
def test_a_label_out_of_range(layout, label, tmp_path, capsys):
    numbers = {
        split: [(str(i % 2), content) for i, (_, content) in enumerate(rows)]
        for split, rows in whole().items()
    }
    numbers["val"][1] = (label, picture(99))
    data = LAYOUTS[layout](tmp_path / "set", numbers, ("cat", "dog"))
    said = (
        f"{where(layout, 'val')}: the label {label} of `{place(layout, 'val', label, 1)}` is out of range; "
        "classes.txt has 2 classes, 0 to 1; correct it, or take the picture out"
    )
    assert trained(data, tmp_path / "run", capsys) == (3, said)
    assert checked(data, capsys) == (3, [f"!unreadable: {said}"])


def test_a_row_of_a_table_without_a_label(tmp_path, capsys):
    data = LAYOUTS["tables"](tmp_path / "set", whole(val=[*whole()["val"], ("-1", picture(99))]))
    said = (
        "SET: 1 rows have no label (empty or -1) in the column `label`, such as `val/4`; remove them from "
        "the data set"
    )
    assert trained(data, tmp_path / "run", capsys) == (3, said)
    assert checked(data, capsys) == (3, [f"!unreadable: {said}"])


def test_a_picture_of_validation_that_cannot_be_read(layout, tmp_path, capsys):
    data = LAYOUTS[layout](tmp_path / "set", whole(val=[*whole()["val"][:3], ("dog", BAD)]))
    said = f"{file_of(layout, 'val', 'dog', 3)}: {NO_PICTURE}"
    assert trained(data, tmp_path / "run", capsys) == (3, said)
    told = (
        "!corrupt: 1 of 4 pictures of val cannot be read (evaluation allows none); mend them, or take them "
        f"out: `{place(layout, 'val', 'dog', 3)}: {NO_PICTURE}`"
    )
    assert checked(data, capsys) == (3, [told])


def test_too_many_pictures_of_training_that_cannot_be_read(layout, tmp_path, capsys):
    data = LAYOUTS[layout](tmp_path / "set", whole(train=[*whole()["train"][:7], ("dog", BAD)]))
    name = place(layout, "train", "dog", 7)
    said = (
        "1 of 8 training pictures cannot be read, more than data.max_bad_fraction=0.001 allows, for example "
        f"{name}: {NO_PICTURE}; mend them (`swinkit data check` lists them), or allow them by "
        "data.max_bad_fraction=0.125"
    )
    assert trained(data, tmp_path / "run", capsys) == (3, said)
    told = (
        "!corrupt: 1 of 8 pictures of train cannot be read (training allows 0.1% by default, and these by "
        f"data.max_bad_fraction=0.125); mend them, or take them out: `{name}: {NO_PICTURE}`"
    )
    assert checked(data, capsys) == (3, [told])


def test_nothing_to_watch(layout, tmp_path, capsys):
    data = LAYOUTS[layout](tmp_path / "set", {"train": whole()["train"]})
    code, said = trained(data, tmp_path / "run", capsys)
    assert code == 3
    assert said.startswith(
        "SET: no split val or valid or validation or test (expected SPLIT/CLASS/picture.jpg, "
    )
    told = (
        "!missing split: there is none of val, valid, validation, test, which training watches; split some "
        "off train, or train with data.hold_out=0.2"
    )
    assert checked(data, capsys) == (3, [told])


def test_a_run_goes_on_with_changed_data_only_if_that_is_allowed(layout, tmp_path, capsys):
    data = LAYOUTS[layout](tmp_path / "set", whole())
    recipe = find(RECIPE)
    recipe = replace(recipe, run=replace(recipe.run, batch_size=4))
    RunFolder(tmp_path / "run").begin(job_of(recipe, data).config)
    shutil.rmtree(tmp_path / "set")
    larger = [(name, picture(i, side=30)) for i, (name, _) in enumerate(whole()["train"])]
    LAYOUTS[layout](tmp_path / "set", whole(train=larger))
    assert main(["train", "--resume", str(tmp_path / "run")]) == 2
    told = error(capsys, data)
    assert told.startswith(
        f"{tmp_path}/run holds a run that differs: `the training pictures differ: the same number, other "
        "content`"
    )
    assert told.endswith(". Choose another folder, or allow changes (--allow-changes) to go on all the same")


def test_a_run_notices_other_pictures_of_as_many_bytes_where_they_lie_and_none_in_a_copy(
    layout, tmp_path, capsys
):
    """As uncompressed ones are; a copy may be younger, and is the same."""
    data, recipe = LAYOUTS[layout](tmp_path / "set", whole(train=as_large(0))), find(RECIPE)
    recipe = replace(recipe, run=replace(recipe.run, batch_size=4))
    RunFolder(tmp_path / "run").begin(job_of(recipe, data).config)
    copy = LAYOUTS[layout](tmp_path / "copy", whole(train=as_large(0)))
    folder = RunFolder(tmp_path / "run")
    assert folder.begin(job_of(recipe, copy).config) == []
    folder.end()
    shutil.rmtree(tmp_path / "set")
    LAYOUTS[layout](tmp_path / "set", whole(train=as_large(1)))
    assert main(["train", "--resume", str(tmp_path / "run")]) == 2
    told = (
        "the same number, other content"
        if layout == "zip"
        else "as many, as large, but the youngest was written 20"
    )
    assert f"`the training pictures differ: {told}" in error(capsys, data)


def as_large(first: int) -> list[tuple[str, bytes]]:
    """Pictures of the same names and numbers of bytes, whichever is the `first`."""
    return [(name, picture(first + i).ljust(2000, b"\0")) for i, (name, _) in enumerate(whole()["train"])]


def test_folders_and_files_that_are_closed_to_us(layout, tmp_path, capsys):
    data = LAYOUTS[layout](tmp_path / "set", whole())
    closed = {
        "folders": "train/cat",
        "lists": "train.csv",
        "parquet": "train.parquet",
        "shards": "train-000.tar",
        "tables": "train",
    }
    path = data / closed[layout] if layout in closed else data
    path.chmod(0)
    with unprivileged():
        code, said = trained(data, tmp_path / "run", capsys)
        check = main(["data", "check", str(data), "workers=0"])
    told = capsys.readouterr()
    path.chmod(0o700)
    assert (code, check) == (3, 3)
    place = str(path).replace(str(data), "SET")
    assert said.startswith(f"{place}")
    assert "ermission denied" in said
    assert "ermission denied" in told.out + told.err


def test_one_picture_that_is_closed_to_us(tmp_path, capsys):
    data = LAYOUTS["folders"](tmp_path / "set", whole())
    path = data / "val" / "cat" / "0.png"
    path.chmod(0)
    with unprivileged():
        assert trained(data, tmp_path / "run", capsys) == (3, "SET/val/cat/0.png: permission denied")
        code, told = checked(data, capsys)
    assert code == 3
    assert told[0].endswith(": `val/cat/0.png: permission denied`")


@pytest.mark.parametrize(
    ("make", "said", "told"),
    [
        (lambda path: None, "SET: no such folder, zip or list", "SET: no such file or folder"),
        (
            Path.mkdir,
            NO_TRAIN,
            NO_SET,
        ),
        (
            lambda path: path.write_bytes(BAD),
            "SET: neither a folder nor a zip, nor a list (.csv, .parquet)",
            "SET: neither a folder nor a zip, nor a list (.csv, .parquet)",
        ),
    ],
)
def test_a_wrong_place(make, said, told, tmp_path, capsys):
    data = tmp_path / "set"
    make(data)
    assert trained(data, tmp_path / "run", capsys) == (3, said)
    assert main(["data", "check", str(data)]) == 3
    assert error(capsys, data) == told


@pytest.mark.parametrize("name", ["train.csv", "train.parquet", "train.tar"])
def test_files_that_are_not_what_they_are_called(name, tmp_path, capsys):
    data = tmp_path / "set"
    data.mkdir()
    (data / name).write_bytes(b"\xff\xfe")
    code, said = trained(data, tmp_path / "run", capsys)
    assert code == 3
    assert said.startswith(f"SET/{name}: cannot be read as ")
    assert checked(data, capsys) == (3, [f"!unreadable: {said}"])


def test_json_tells_the_same(tmp_path, capsys):
    data = LAYOUTS["folders"](tmp_path / "set", whole(), ("cat", "dog", "owl"))
    assert main(["data", "check", str(data), "workers=0", "--json"]) == 3
    report = json.loads(capsys.readouterr().out)
    assert [(problem["kind"], problem["blocking"]) for problem in report["problems"]] == [
        ("empty class", True)
    ] * 2

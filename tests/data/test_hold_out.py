"""A folder of classes without splits: what `data.hold_out` holds out, and that it stays so for ever."""

import csv
import os
import shutil
import signal
from dataclasses import asdict
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import swinkit
from swinkit.cli.main import main
from swinkit.data.dataset import ImageDataset
from swinkit.data.find_dataset import find_samples, find_whole
from swinkit.data.folders import Directory
from swinkit.data.hold_out import choose_held_out, group_alike, split_whole
from swinkit.data.ids import Texts
from swinkit.data.scan import Reading
from swinkit.errors import DataError, UsageError
from swinkit.recipes.catalogue import find
from swinkit.runs.config_diff import changes_of
from swinkit.runs.folder import RunFolder
from swinkit.settings.recipe import from_json
from swinkit.tasks.classification.settings import ClassificationRecipe
from tests.training.states import assert_same, last_state

pytestmark = pytest.mark.slow

WORDS = ["schedule.epochs=2", "schedule.warmup_epochs=0", "run.batch_size=4", "data.hold_out=0.25"]


def noise(seed: int, side: int = 40) -> Image.Image:
    """Return a picture unlike any of another seed."""
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Return a folder of two classes of eight pictures, two of each of which are near duplicates."""
    for number, name in enumerate(("cat", "dog")):
        folder = tmp_path / "set" / name
        folder.mkdir(parents=True)
        for i in range(7):
            noise(100 * number + i).save(folder / f"{i}.png")
        noise(100 * number).resize((80, 80)).save(folder / "again.jpg", quality=80)
    return tmp_path / "set"


def sides(run: Path) -> dict[str, str]:
    """Return the side of each picture, as the run recorded it."""
    with (run / "split.csv").open(newline="") as file:
        return {row["id"]: row["split"] for row in csv.DictReader(file)}


def started(data: Path, out: Path, *words: str) -> int:
    """Train by the command."""
    return main(["train", "cifar10-swin-pico", f"data={data}", f"out={out}", *WORDS, *words])


def test_it_is_stratified_seeded_and_keeps_near_duplicates_together(pictures: Path):
    whole, found = find_whole(pictures), {}
    for seed in range(8):
        training, held = split_whole(whole, 0.25, seed)
        assert sorted([*training.ids, *held.ids]) == sorted(whole.ids)
        assert held.counts().tolist() == [2, 2]
        assert training.counts().tolist() == [6, 6]
        assert (training.split, held.split) == ("train", "val")
        for name in ("cat", "dog"):
            assert len({f"{name}/{file}" in list(held.ids) for file in ("0.png", "again.jpg")}) == 1
        again = split_whole(whole, 0.25, seed)[1]
        assert list(again.ids) == list(held.ids)
        found[tuple(held.ids)] = True
        assert whole.classes[held[0].target["label"]] == held.ids[0].split("/")[0]
    assert len(found) > 1


GROUPS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=3), min_size=4, max_size=30)


@settings(max_examples=60)
@given(GROUPS, st.floats(0.05, 0.6), st.integers(0, 99))
def test_of_any_groups_every_class_is_on_both_sides_or_it_is_refused(groups, share, seed):
    """A group is of pictures that look alike, perhaps of several classes."""
    rows = [(f"{i}-{j}", f"{i}", label) for i, group in enumerate(groups) for j, label in enumerate(group)]
    labels = [label for _, _, label in rows]
    kinds = sorted(set(labels))
    whole = ImageDataset(
        Path("somewhere"),
        "all",
        Directory(Texts(name for name, _, _ in rows), Path("somewhere")),
        tuple(f"kind {kind}" for kind in kinds),
        torch.tensor([kinds.index(label) for label in labels]),
    )
    readings = [Reading("all", name, "", None, digest=digest) for name, digest, _ in rows]
    try:
        held = choose_held_out(whole, readings, share, seed)
    except DataError:  # where the classes cannot be parted, perhaps because groups tie them together
        assert len(kinds) > 1 or len(groups) == 1
        return
    for kind in kinds:
        own = {i for i, label in enumerate(labels) if label == kind}
        assert 0 < len(own & held) < len(own)
    for group in group_alike(readings):
        assert len({i in held for i in group}) == 1
    assert held == choose_held_out(whole, readings, share, seed)


def test_a_class_of_one_picture_is_refused_by_name(pictures: Path):
    (pictures / "rare").mkdir()
    noise(7).save(pictures / "rare" / "a.png")
    with pytest.raises(DataError, match="of each class that do not look alike; add some of `rare`"):
        split_whole(find_whole(pictures), 0.2, 0)


def test_a_run_writes_its_split_and_keeps_it_when_pictures_are_added(pictures: Path, tmp_path: Path, capsys):
    out = tmp_path / "it's a run"
    assert started(pictures, out, "--dry-run") == 0
    assert "held out" in capsys.readouterr().out
    assert not out.exists()
    assert started(pictures, out) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  held out")]
    first = sides(out)
    assert list(first.values()).count("val") == 4
    noise(55).save(pictures / "cat" / "new.png")
    (pictures / "horse").mkdir()
    noise(56).save(pictures / "horse" / "a.png")
    assert main(["train", "--resume", str(out), "schedule.epochs=3", "--allow-changes"]) == 0
    assert "differ" not in capsys.readouterr().out
    assert sides(out) == first
    # The command that the run named evaluates on the same pictures, though others have come.
    words = line.split("`")[1].replace("'\\''", "'").split(" split=")
    listing = words[0].removeprefix("data=").replace("'\"'\"'", "'").strip("'")
    held = find_samples(Path(listing), words[1])
    assert {str(Path(name).relative_to(pictures)) for name in held.ids} == {
        name for name, side in first.items() if side == "val"
    }
    score = swinkit.evaluate(swinkit.load(out / "best"), listing, split=words[1])
    assert len(score.samples) == 4
    log = [event for event in RunFolder(out).events() if event["event"] == "epoch"]
    assert score.top1 == max(event["top1"] for event in log)


def test_a_stopped_run_resumes_to_the_bit_where_pictures_were_added(pictures: Path, tmp_path: Path):
    assert started(pictures, tmp_path / "whole") == 0
    recipe = find("cifar10-swin-pico")
    config = RunFolder(tmp_path / "whole")
    assert config.events()
    steps = 0

    def stop(said: object) -> None:
        nonlocal steps
        steps += not isinstance(said, str)
        if steps == 2 and not isinstance(said, str):
            os.kill(os.getpid(), signal.SIGTERM)

    from swinkit.runs.folder import recorded_config

    chosen = from_json(type(recipe), recorded_config(tmp_path / "whole")["recipe"])
    with pytest.raises(SystemExit):
        swinkit.train(chosen, pictures, tmp_path / "parts", reporting=stop)
    noise(55).save(pictures / "dog" / "new.png")
    swinkit.train(chosen, pictures, tmp_path / "parts")
    assert_same(last_state(tmp_path / "whole"), last_state(tmp_path / "parts"))


def test_a_picture_that_is_gone_is_noticed(pictures: Path, tmp_path: Path, capsys):
    assert started(pictures, tmp_path / "run") == 0
    (pictures / "cat" / "3.png").unlink()
    assert main(["train", "--resume", str(tmp_path / "run")]) == 2
    assert "pictures differ" in capsys.readouterr().err


def test_a_train_split_alone_is_divided(pictures: Path, tmp_path: Path):
    (tmp_path / "parent").mkdir()
    shutil.move(pictures, tmp_path / "parent" / "train")
    assert started(tmp_path / "parent", tmp_path / "run") == 0
    assert set(sides(tmp_path / "run")) == {
        str(path.relative_to(tmp_path / "parent")) for path in (tmp_path / "parent").rglob("*.*g")
    }


def test_pre_training_holds_out_too(pictures: Path, tmp_path: Path):
    words = [*WORDS, "data.size=[32,32]", "masking.patch=4"]
    out = tmp_path / "run"
    assert main(["pretrain", "swin-pico", f"data={pictures}", f"out={out}", *words]) == 0
    assert list(sides(out).values()).count("val") == 4
    assert main(["evaluate", str(out / "best"), f"data={out / 'split.csv'}", "split=val"]) == 0


def test_what_cannot_be_divided(pictures: Path, tmp_path: Path):
    recipe = find("cifar10-swin-pico")
    with ZipFile(tmp_path / "set.zip", "w") as file:
        for path in pictures.rglob("*.png"):
            file.write(path, path.relative_to(pictures))
    with pytest.raises(UsageError, match=r"for folders of pictures, and .* is none; unpack it"):
        split_whole(find_whole(tmp_path / "set.zip"), 0.2, 0)
    shutil.copytree(pictures, tmp_path / "split" / "train")
    shutil.copytree(pictures, tmp_path / "split" / "test")
    with pytest.raises(UsageError, match="has a split test, so that nothing needs to be held out"):
        find_whole(tmp_path / "split")
    (tmp_path / "list").mkdir()
    (tmp_path / "list" / "train.csv").write_text("path,label\na.png,a\n")
    with pytest.raises(UsageError, match="name the split of each picture"):
        find_whole(tmp_path / "list")
    noise(1).save(pictures / "loose.png")
    with pytest.raises(DataError, match=r"pictures outside of folders, such as `loose\.png`"):
        find_whole(pictures)
    with pytest.raises(UsageError, match=r"data\.hold_out is 1\.0; it must be null, or between 0 and 1"):
        type(recipe.data)(**{**vars(recipe.data), "hold_out": 1.0})


def test_who_has_no_split_is_told_of_it(pictures: Path, tmp_path: Path, capsys):
    words = ["train", "cifar10-swin-pico", f"data={pictures}", f"out={tmp_path / 'run'}"]
    assert main(words) == 3
    told = capsys.readouterr().err
    assert "no split train " in told
    field = next(word for word in told.split() if word.startswith("data.hold_out="))
    assert main([*words, field, "run.batch_size=4", "--dry-run"]) == 0


def test_a_run_inside_of_the_pictures_is_refused(pictures: Path, capsys):
    assert started(pictures, pictures / "run") == 2
    assert "lies among the pictures" in capsys.readouterr().err
    assert not (pictures / "run").exists()


def test_runs_of_older_versions_lack_the_field():
    now = asdict(find("cifar10-swin-pico"))
    older = {**now, "data": {name: value for name, value in now["data"].items() if name != "hold_out"}}
    assert from_json(ClassificationRecipe, older) == find("cifar10-swin-pico")
    assert changes_of({"recipe": older}, {"recipe": now}) == []

"""The experiment on masked pre-training: what it does, on few pictures and for one epoch each."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.pretraining_helps import (
    PRETRAINED,
    SCRATCH,
    Trial,
    build_parser,
    finetuning,
    keep_few_labels,
    main,
    page,
)
from tests.data.pictures import of_two_greys

pytestmark = pytest.mark.slow


def pictures(root: Path) -> Path:
    """Write two classes of 80 pictures to train with."""
    return of_two_greys(root, counts={"train": 80, "test": 2}, greys={"black": 5, "white": 150})


def test_few_labels_are_kept_of_each_class_and_others_are_watched(tmp_path):
    data, few, again, other = pictures(tmp_path / "data"), *(tmp_path / name for name in ("a", "b", "c"))
    for folder, seed in ((few, 0), (again, 0), (other, 1)):
        keep_few_labels(data, folder, seed)
    names = {
        split: {f"{p.parent.name}/{p.name}" for p in few.glob(f"{split}/*/*.png")}
        for split in ("train", "val")
    }
    assert sorted(name.split("/")[0] for name in names["train"]) == ["black"] * 4 + ["white"] * 4
    assert not names["train"] & names["val"]
    kept = [sorted(p.name for p in folder.glob("train/*/*.png")) for folder in (few, again, other)]
    assert kept[0] == kept[1] != kept[2]


def test_the_page_tells_mean_spread_each_seed_the_rates_tried_and_the_hours():
    results = {SCRATCH: [0.5, 0.6], PRETRAINED: [0.7], "not yet": []}
    tried = {SCRATCH: Trial({0.1: 0.3, 0.2: 0.4}), PRETRAINED: Trial({0.1: 0.5})}
    told = page(results, tried, [[{"seconds": 1800.0}], [{"seconds": 5.0}, {"seconds": 360.0}]])
    assert "| from scratch | 55.00 | 7.07 | 50.00, 60.00 | 0.1: 30.00, 0.2: 40.00 |\n" in told
    assert "| pre-trained | 70.00 | - | 70.00 | 0.1: 50.00 |\n" in told
    assert "0.60 hours of training in 2 runs" in told
    assert "not yet" not in told


def test_the_rate_that_did_best_is_kept():
    tried = Trial()
    assert len(tried.next) == 2
    tried.watched = {0.1: 0.3, 0.2: 0.4, 0.3: 0.4}
    assert tried.next == [0.2]


def test_both_ways_differ_in_the_start_alone():
    options = build_parser().parse_args(["data", "out"])
    scratch, trained = (finetuning(options, 1, start, 1e-3) for start in (None, Path("start")))
    assert replace(scratch, init="start") == trained


@pytest.mark.nightly
def test_it_trains_both_ways_and_goes_on_where_it_was_stopped(tmp_path, capsys):
    words = [str(pictures(tmp_path / "data")), str(tmp_path / "out"), "--batch-size=8", "--seeds=1"]
    words += ["--pretraining-epochs=1", "--epochs=1"]
    assert main(words) == 0
    written = {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.*") if path.is_file()}
    assert set(written) >= {"results.md", "from-scratch-0.006-0-test.json", "pre-trained-0.006-0-test.json"}
    assert "| pre-trained |" in capsys.readouterr().out
    assert (tmp_path / "out" / "pretrained" / "reconstructions.png").exists()
    assert main(words) == 0
    assert capsys.readouterr().out.count("nothing is left to do") == 5
    assert written == {
        path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.*") if path.is_file()
    }


def test_data_that_are_not_there_are_told_in_one_line(tmp_path, capsys):
    assert main([str(tmp_path / "nowhere"), str(tmp_path / "out")]) == 3
    assert capsys.readouterr().err.startswith("error: ")

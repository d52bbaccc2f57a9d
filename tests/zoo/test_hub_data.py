"""Data sets of the hub: what is downloaded and what never, offline, and what is said when there is none."""

from pathlib import Path

import pytest
from huggingface_hub import constants

from swinkit.cli.main import main
from swinkit.data.find_dataset import find_samples
from swinkit.errors import DataError, EnvironmentProblem, UsageError
from swinkit.zoo.hub_data import locate_data

from ..data.pictures import picture, table

NAME = "me/pets"


@pytest.fixture(autouse=True)
def unpacked(monkeypatch, tmp_path):
    monkeypatch.setenv("SWINKIT_CACHE", str(tmp_path / "unpacked"))


@pytest.fixture
def tables(tmp_path):
    """Two splits in Parquet."""
    files = {}
    for split, first in (("train", 0), ("test", 6)):
        table(6, first=first).to_parquet(tmp_path / f"{split}.parquet")
        files[f"data/{split}-00000-of-00001.parquet"] = (tmp_path / f"{split}.parquet").read_bytes()
    return files


def test_tables_are_downloaded_and_code_is_not(hub, tables):
    hub.put(NAME, {**tables, "pets.py": b"print('run')", "README.md": b"# a card", "weights.bin": b"x"})
    folder = locate_data(f"hf:{NAME}")
    samples = find_samples(folder, "train")
    assert (len(samples), samples.classes) == (6, ("cat", "dog"))
    read = {line.split("/")[-1] for line in hub.asked if "/resolve/" in line}
    assert read == {"train-00000-of-00001.parquet", "test-00000-of-00001.parquet"}


def test_folders_of_pictures_are_a_layout_too(hub):
    hub.put(NAME, {f"train/{name}/{i}.PNG": picture(i) for i, name in enumerate(("cat", "dog"))})
    samples = find_samples(locate_data(f"hf:{NAME}"), "train")
    assert samples.classes == ("cat", "dog")
    assert int(samples[1].image[0, 0, 0]) == 1


def test_a_revision_stays_what_it_is(hub):
    first = hub.put(NAME, {"train/cat/0.png": picture(1)})
    hub.put(NAME, {"train/cat/0.png": picture(2)})
    read = [
        int(find_samples(locate_data(f"hf:{NAME}{at}"), "train")[0].image[0, 0, 0])
        for at in ("", f"@{first}")
    ]
    assert read == [2, 1]


@pytest.mark.parametrize("way", ["swinkit", "huggingface_hub"])
def test_offline_nothing_is_asked_and_what_is_there_is_read(hub, way, monkeypatch):
    hub.put(NAME, {"train/cat/0.png": picture(1)})
    folder = locate_data(f"hf:{NAME}")
    hub.asked.clear()
    if way == "swinkit":
        monkeypatch.setenv("SWINKIT_OFFLINE", "1")
    else:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert locate_data(f"hf:{NAME}") == folder
    with pytest.raises(
        EnvironmentProblem, match=r"hf:me/other: .* downloaded before, and the network is forbidden"
    ):
        locate_data("hf:me/other")
    assert hub.asked == []


def test_a_download_that_broke_off_is_not_taken_for_the_whole(hub, monkeypatch):
    hub.put(NAME, {f"train/cat/{i}.png": picture(i) for i in range(3)})
    hub.fail("1.png", status=404, times=99)
    with pytest.raises((EnvironmentProblem, DataError)):
        locate_data(f"hf:{NAME}")
    monkeypatch.setenv("SWINKIT_OFFLINE", "1")
    with pytest.raises(EnvironmentProblem, match="not, or not wholly, downloaded before"):
        locate_data(f"hf:{NAME}")


def test_what_holds_no_data_is_told_where_to_find_some(hub):
    hub.put(NAME, {"pets.py": b"print('run')", "README.md": b"# a card"})
    with pytest.raises(
        DataError, match=r"holds no pictures, tables or shards; .*hf:me/pets@refs/convert/parquet"
    ):
        locate_data(f"hf:{NAME}")


def test_wrong_names_and_missing_sets_are_told(hub):
    with pytest.raises(UsageError, match="names no repository"):
        locate_data("hf:pets")
    with pytest.raises(DataError, match="hf:me/none: no such repository on the hub"):
        locate_data("hf:me/none")


def test_a_path_is_a_path():
    assert locate_data("some/folder") == Path("some/folder")


def test_a_training_takes_the_hubs_data_and_goes_on_without_the_network(
    hub, tables, tmp_path, capsys, monkeypatch
):
    hub.put(NAME, tables)
    out = tmp_path / "run"
    short = ["schedule.epochs=1", "schedule.warmup_epochs=0", "run.batch_size=2"]
    assert main(["train", "cifar10-swin-pico", f"data=hf:{NAME}", f"out={out}", *short]) == 0
    assert "on 6 pictures of 2 classes, validated on 6 of test" in capsys.readouterr().out
    monkeypatch.setenv("SWINKIT_OFFLINE", "1")
    assert main(["train", "--resume", str(out), "schedule.epochs=1"]) == 0
    assert "nothing is left to do" in capsys.readouterr().out
    assert main(["data", "check", f"hf:{NAME}", "workers=0"]) == 0
    assert "tables, recognised by data/train-00000-of-00001.parquet" in capsys.readouterr().out


def test_a_hub_that_is_not_there_is_told(hub, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(
        EnvironmentProblem, match=r"hf:me/pets: the hub cannot be reached .*; try again later, or download"
    ):
        locate_data(f"hf:{NAME}")

"""Saved models: all of a folder or nothing of it, and every file is checked when it is read."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from swinkit.errors import DataError, UsageError
from swinkit.files.folder import FILES, SavedModel, read_folder, write_folder
from swinkit.weights.load import canonical

from ..weights.models import classifier


@pytest.fixture
def saved() -> SavedModel:
    """Return a model with a label and a card that are not ASCII."""
    config = {"family": "v1", "spec": {"depths": [2, 2]}}
    return SavedModel(config, {"crop": [32, 32]}, ["cat", "猫"], canonical(classifier()), "# A card ☺\n")


def assert_same(one: SavedModel, other: SavedModel) -> None:
    """Every file, and every bit of every tensor."""
    assert replace(one, state={}) == replace(other, state={})
    assert one.state.keys() == other.state.keys()
    assert all(torch.equal(one.state[name], other.state[name]) for name in one.state)


def test_a_folder_comes_back(tmp_path: Path, saved: SavedModel):
    write_folder(tmp_path / "new" / "best", saved)
    assert_same(read_folder(tmp_path / "new" / "best"), saved)
    assert sorted(entry.name for entry in (tmp_path / "new").rglob("*")) == sorted(["best", *FILES])


def test_names_that_are_no_text_come_back(tmp_path: Path, saved: SavedModel):
    """As folders of classes may have them, whose names become labels."""
    strange = replace(saved, labels=["caf\udce9", "tea"], card="Knows caf\udce9.\n")
    write_folder(tmp_path / "best", strange)
    found = read_folder(tmp_path / "best")
    assert found.labels == strange.labels
    assert found.card == "Knows caf\\udce9.\n"


def test_the_header_says_what_wrote_it(tmp_path: Path, saved: SavedModel):
    write_folder(tmp_path / "best", saved)
    with safe_open(tmp_path / "best" / "model.safetensors", framework="pt") as file:
        metadata = file.metadata()
    assert metadata["format"] == "pt"
    assert metadata.keys() == {"format", "swinkit", "config_sha256"}


def test_equal_models_are_equal_files(tmp_path: Path, saved: SavedModel):
    """Also under a name that JSON must escape, and where the tensors come in another order."""
    strange = replace(saved, config={"family": "v1", "note": '"a\\b\n猫'})
    strange.state['head."é\n'] = torch.ones(3)
    turned = replace(strange, state=dict(reversed(strange.state.items())))
    for number, each in enumerate([strange, turned] * 8):
        write_folder(tmp_path / str(number), each)
    names = [path.name for path in (tmp_path / "0").iterdir()]
    for name in names:
        assert len({(tmp_path / str(number) / name).read_bytes() for number in range(16)}) == 1, name
    assert_same(read_folder(tmp_path / "0"), strange)


def test_a_saved_model_is_replaced(tmp_path: Path, saved: SavedModel):
    write_folder(tmp_path / "best", saved)
    newer = replace(saved, labels=["dog"], card="newer")
    write_folder(tmp_path / "best", newer)
    assert_same(read_folder(tmp_path / "best"), newer)
    assert [entry.name for entry in tmp_path.iterdir()] == ["best"]


def test_views_of_one_tensor_are_saved_apart(tmp_path: Path, saved: SavedModel):
    whole = torch.arange(6.0)
    write_folder(tmp_path / "best", replace(saved, state={"a": whole[:3], "b": whole[2:], "c": whole}))
    assert torch.equal(read_folder(tmp_path / "best").state["b"], whole[2:])


def test_a_folder_of_other_things_is_left_alone(tmp_path: Path, saved: SavedModel):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_text("x")
    with pytest.raises(UsageError, match=r"photos holds `cat.jpg`, which would be lost"):
        write_folder(tmp_path / "photos", saved)
    assert [entry.name for entry in tmp_path.rglob("*")] == ["photos", "cat.jpg"]
    with pytest.raises(UsageError, match=r"is no folder"):
        write_folder(tmp_path / "photos" / "cat.jpg", saved)


def test_a_lost_card_is_no_reason_to_refuse_a_model(tmp_path: Path, saved: SavedModel):
    write_folder(tmp_path / "best", saved)
    (tmp_path / "best" / "README.md").unlink()
    assert read_folder(tmp_path / "best").card == ""


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
def test_whoever_may_read_one_file_may_read_the_weights_too(tmp_path: Path, saved: SavedModel):
    write_folder(tmp_path / "best", saved)
    assert len({(tmp_path / "best" / name).stat().st_mode for name in FILES}) == 1


@pytest.mark.parametrize("name", [name for name in FILES if name != "README.md"])
def test_every_file_must_be_there_and_whole(tmp_path: Path, saved: SavedModel, name: str):
    write_folder(tmp_path / "best", saved)
    path = tmp_path / "best" / name
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=rf"{name} is no"):
        read_folder(tmp_path / "best")
    path.unlink()
    with pytest.raises(DataError, match=rf"best is no saved model: `{name}` missing"):
        read_folder(tmp_path / "best")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", b"[]", "config.json must hold a dict, not a list"),
        (
            "config.json",
            b'{"family": "v2"}',
            "config.json is not the one that model.safetensors was saved with",
        ),
        ("preprocess.json", b"3", "preprocess.json must hold a dict, not a int"),
        ("labels.json", b'{"0": "cat"}', "labels.json must hold a list"),
        ("labels.json", b'["cat", 3]', "labels.json: labels must be texts"),
        ("labels.json", b"[" * 100_000, "labels.json is no JSON"),
        ("README.md", b"\xff\xfe\x00", "README.md cannot be read"),
    ],
)
def test_a_wrong_content_is_named(tmp_path: Path, saved: SavedModel, name: str, content: bytes, message: str):
    write_folder(tmp_path / "best", saved)
    (tmp_path / "best" / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_folder(tmp_path / "best")


def test_another_layout_of_the_same_configuration_is_the_same(tmp_path: Path, saved: SavedModel):
    write_folder(tmp_path / "best", saved)
    (tmp_path / "best" / "config.json").write_text(json.dumps(dict(reversed(saved.config.items()))))
    assert read_folder(tmp_path / "best").config == saved.config


def test_a_missing_folder_is_named(tmp_path: Path):
    with pytest.raises(DataError, match="none: no such folder"):
        read_folder(tmp_path / "none")


def test_a_moved_folder_still_reads(tmp_path: Path, saved: SavedModel):
    write_folder(tmp_path / "best", saved)
    shutil.move(tmp_path / "best", tmp_path / "elsewhere")
    assert_same(read_folder(tmp_path / "elsewhere"), saved)

"""Reading files: tensors come back exactly, all else is one clear error, and nothing is ever executed."""

import logging
import os
import pickle
from argparse import Namespace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from swinkit.errors import DataError
from swinkit.weights.dialects import detect
from swinkit.weights.files import read_contents, read_state
from swinkit.weights.load import canonical, export_weights, load_weights

from .models import classifier


class Malicious:
    """Makes a folder when it is unpickled."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.mark),)


def test_safetensors_come_back(tmp_path: Path):
    state = canonical(classifier())
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, tmp_path / "a.safetensors")
    read = read_state(tmp_path / "a.safetensors")
    assert read.keys() == state.keys()
    assert all(torch.equal(read[name], state[name]) for name in state)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    ("wrap", "wrappers", "ignored"),
    [
        (lambda state: state, (), ()),
        (
            lambda state: {"epoch": 3, "model": state, "optimizer": {"state": {}}},
            ("model",),
            ("epoch", "optimizer"),
        ),
        (lambda state: {"meta": {"step": 1}, "state_dict": state}, ("state_dict",), ("meta",)),
        (lambda state: {"state_dict": state, "state_dict_ema": state}, ("state_dict",), ("state_dict_ema",)),
        (lambda state: {"model": {"module": state}}, ("model", "module"), ()),
    ],
)
def test_wrappers_are_opened_and_told(tmp_path: Path, zipped: bool, wrap, wrappers: tuple, ignored: tuple):
    theirs = export_weights(classifier(), "microsoft")
    torch.save(wrap(theirs), tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    contents = read_contents(tmp_path / "a.pth")
    assert (contents.wrappers, contents.ignored) == (wrappers, ignored)
    assert all(torch.equal(contents.state[name], tensor) for name, tensor in theirs.items())


def test_a_training_checkpoint_of_a_wrapped_headless_model_loads(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    source, target = classifier("v2"), classifier("v2")
    theirs = {
        f"module.{name}": tensor
        for name, tensor in export_weights(source, "timm").items()
        if "head" not in name
    }
    torch.save({"epoch": 300, "state_dict": theirs}, tmp_path / "a.pth.tar")
    with caplog.at_level(logging.INFO, logger="swinkit.weights.files"):
        state = read_state(tmp_path / "a.pth.tar")
    assert caplog.messages == [f"{tmp_path / 'a.pth.tar'}: opened `state_dict`, ignored `epoch`"]
    assert detect(state).name == "timm"
    load_weights(target.backbone, state)
    assert torch.equal(target.backbone.embed.proj.weight, source.backbone.embed.proj.weight)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_malicious_file_is_refused_and_not_executed(tmp_path: Path, zipped: bool):
    mark = tmp_path / "executed"
    path = tmp_path / "model.pth"
    torch.save(
        {"model": {"a": torch.zeros(2)}, "x": Malicious(mark)}, path, _use_new_zipfile_serialization=zipped
    )
    with pytest.raises(
        DataError, match=r"`(posix|nt).mkdir`.*refused.*safetensors.torch.save_file"
    ) as caught:
        read_state(path)
    assert str(path) in str(caught.value)
    assert not mark.exists()
    torch.load(path, weights_only=False)  # the trap is a real one
    assert mark.exists()


def test_a_plain_malicious_pickle_is_refused_and_not_executed(tmp_path: Path):
    mark = tmp_path / "executed"
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(Malicious(mark)))
    with pytest.raises(DataError, match=r"model.pkl"):
        read_state(tmp_path / "model.pkl")
    assert not mark.exists()


def test_blocked_classes_are_named_with_what_to_do(tmp_path: Path):
    torch.save({"model": {"a": torch.zeros(2)}, "args": Namespace(lr=1)}, tmp_path / "a.pth")
    with pytest.raises(
        DataError, match=r"holds more than tensors: `argparse.Namespace`\. .*weights_only=False"
    ):
        read_state(tmp_path / "a.pth")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("part", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_truncated_files_are_refused(tmp_path: Path, suffix: str, part: float):
    path = tmp_path / f"model{suffix}"
    state = {name: tensor.clone() for name, tensor in canonical(classifier()).items()}
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(DataError, match=r"copy or download it again|damaged") as caught:
        read_state(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"hello", b"<!DOCTYPE html> not found", b"\x80\x04", b"PK\x03\x04", bytes(1000)]
)
@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
def test_other_files_are_refused(tmp_path: Path, content: bytes, name: str):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=name):
        read_state(tmp_path / name)


def test_missing_files_and_folders_are_refused(tmp_path: Path):
    with pytest.raises(DataError, match=r"none\.pth: no such file"):
        read_state(tmp_path / "none.pth")
    with pytest.raises(DataError, match="is a folder"):
        read_state(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([torch.zeros(2)], "holds a list"),
        (torch.zeros(2), "holds a Tensor"),
        ({}, "its dictionary is empty"),
        ({"model": {}}, "its dictionary is empty"),
        ({"a": torch.zeros(2), "epoch": 3}, "`epoch` are no tensors"),
        ({3: torch.zeros(2)}, "`3` are no tensors"),
    ],
)
def test_files_of_something_else_are_refused(tmp_path: Path, content: object, message: str):
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(DataError, match=message):
        read_state(tmp_path / "a.pth")

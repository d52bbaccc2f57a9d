"""Reading files: tensors come back exactly, all else is one clear error, and nothing is ever executed."""

import logging
import os
import pickle
import sys
from argparse import Namespace
from collections import defaultdict
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from swinkit.errors import DataError, UsageError
from swinkit.files.tensors import read_contents, read_state
from swinkit.weights.dialect_table import detect
from swinkit.weights.load import canonical, export_weights, load_weights

from ..weights.models import classifier


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
    with caplog.at_level(logging.INFO, logger="swinkit.files.tensors"):
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
        DataError, match=r"refused: .*`(posix|nt).mkdir`.*safetensors.torch.save_file"
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
    torch.save({"model": {"a": torch.zeros(2)}, "rate": Fraction(1, 2)}, tmp_path / "a.pth")
    with pytest.raises(
        DataError, match=r"holds more than tensors: `fractions.Fraction`\. .*weights_only=False"
    ):
        read_state(tmp_path / "a.pth")


class CfgNode(dict):
    """As yacs has it: a dictionary with attributes beside its entries."""


@pytest.mark.parametrize("zipped", [True, False])
def test_what_training_code_leaves_beside_the_weights_is_passed_over(
    tmp_path: Path, zipped: bool, monkeypatch: pytest.MonkeyPatch
):
    module = ModuleType("yacs.config")
    monkeypatch.setitem(sys.modules, "yacs", ModuleType("yacs"))
    monkeypatch.setitem(sys.modules, "yacs.config", module)
    monkeypatch.setattr(module, "CfgNode", CfgNode, raising=False)
    monkeypatch.setattr(CfgNode, "__module__", "yacs.config")
    config = CfgNode(MODEL=CfgNode(DEPTHS=[2, 2]))
    config.frozen = True
    beside = {
        "config": config,
        "args": Namespace(lr=1, out=Path("runs")),
        "accuracy": np.float64(81.2),
        "losses": np.zeros(3),
        "meters": defaultdict(list, {1: [2]}),
    }
    state = {"a": torch.arange(3.0)}
    torch.save({"model": state} | beside, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    contents = read_contents(tmp_path / "a.pth")
    assert contents.ignored == tuple(beside)
    assert contents.state["a"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_pickle_of_arrays_is_read_as_detectron2_writes_it(tmp_path: Path, protocol: int):
    arrays = {
        "a": np.arange(6, dtype="f4").reshape(2, 3),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "half": np.arange(4, dtype="f2"),
        "whole": np.arange(4),
        "one": np.array(3.0),
    }
    content = {"model": arrays, "__author__": "third_party", "matching_heuristics": True}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(content, protocol))
    contents = read_contents(tmp_path / "a.pkl")
    assert contents.ignored == ("__author__", "matching_heuristics")
    assert contents.state.keys() == arrays.keys()
    assert all(torch.equal(contents.state[name], torch.from_numpy(arrays[name])) for name in arrays)


@pytest.mark.parametrize("array", [np.array(["text"]), np.array([None, 1]), np.arange(3, dtype=">f4")])
def test_arrays_of_something_else_are_refused(tmp_path: Path, array: np.ndarray):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"model": {"a": array}}, 4))
    with pytest.raises(DataError, match=r"a\.pkl"):
        read_contents(tmp_path / "a.pkl")


def test_of_raw_and_averaged_weights_the_raw_are_read_unless_others_are_named(tmp_path: Path):
    raw, averaged = {"a": torch.zeros(2)}, {"a": torch.ones(2)}
    torch.save({"model_ema": averaged, "model": {"module": raw}}, tmp_path / "a.pth")
    assert read_contents(tmp_path / "a.pth").state["a"].tolist() == [0, 0]
    assert "model_ema" in read_contents(tmp_path / "a.pth").ignored
    assert read_contents(tmp_path / "a.pth", entry="model_ema").state["a"].tolist() == [1, 1]
    with pytest.raises(UsageError, match="no dictionary 'teacher'"):
        read_contents(tmp_path / "a.pth", entry="teacher")


@pytest.mark.parametrize("name", ["a.bin", "a.pth"])
def test_safetensors_are_known_by_their_content(tmp_path: Path, name: str):
    save_file({"a": torch.ones(2)}, tmp_path / name)
    assert read_state(tmp_path / name)["a"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("content", "hint"),
    [(b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"), (b"<html>", "a web page")],
)
def test_what_was_downloaded_instead_of_weights_is_named(tmp_path: Path, content: bytes, hint: str):
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(DataError, match=hint):
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
        ({"state": {0: {}}, "param_groups": []}, "the state of an optimiser, no weights; give the file of"),
        ({3: torch.zeros(2)}, "`3` are no tensors"),
    ],
)
def test_files_of_something_else_are_refused(tmp_path: Path, content: object, message: str):
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(DataError, match=message):
        read_state(tmp_path / "a.pth")

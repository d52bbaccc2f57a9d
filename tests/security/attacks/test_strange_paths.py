"""Attack: the path is no plain file, so that opening it waits for ever; or the file changes meanwhile."""

import os
import zipfile
from pathlib import Path
from typing import BinaryIO

import pytest
import torch
from safetensors.torch import save_file

import swinkit
from swinkit.errors import DataError, SwinkitError
from swinkit.files import tensors as files
from swinkit.files.tensors import read_contents


def test_a_pipe_is_refused_without_opening_it(tmp_path: Path):
    os.mkfifo(tmp_path / "a.pth")
    with pytest.raises(DataError, match="pipe, socket or device"):
        read_contents(tmp_path / "a.pth")
    with pytest.raises(SwinkitError):
        swinkit.load(tmp_path / "a.pth")


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/stdin"])
def test_a_device_is_refused(tmp_path: Path, device: str):
    (tmp_path / "a.safetensors").symlink_to(device)
    with pytest.raises(SwinkitError):
        read_contents(tmp_path / "a.safetensors")


def test_a_link_to_itself_is_refused(tmp_path: Path):
    (tmp_path / "a.pth").symlink_to(tmp_path / "a.pth")
    with pytest.raises(DataError, match=r"a\.pth"):
        read_contents(tmp_path / "a.pth")
    with pytest.raises(SwinkitError):
        swinkit.load(tmp_path / "a.pth")


@pytest.mark.parametrize("name", ["a" * 5000, "a\0.pth", "a" * 300 + "/b.pth"])
def test_an_impossible_name_is_refused(name: str):
    with pytest.raises(DataError):
        read_contents(name)
    with pytest.raises(SwinkitError):
        swinkit.load(name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path):
    torch.save({"a": torch.zeros(2)}, tmp_path / "a.pth")
    (tmp_path / "a.pth").chmod(0)
    with pytest.raises(DataError, match="cannot be read"):
        read_contents(tmp_path / "a.pth")


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "a.pth"
    torch.save({"a": torch.zeros(2)}, path)
    read = files.read_torch

    def read_and_touch(path: Path, file: BinaryIO) -> object:
        loaded = read(path, file)
        os.utime(path, (1, 1))
        return loaded

    monkeypatch.setattr(files, "read_torch", read_and_touch)
    with pytest.raises(DataError, match="changed while it was read"):
        read_contents(path)


def test_later_changes_of_a_file_do_not_reach_the_model(tmp_path: Path):
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.ones(1000)}, path)
    state = read_contents(path).state
    with path.open("r+b") as file:
        file.seek(-4000, os.SEEK_END)
        file.write(bytes(4000))
    assert state["a"].sum() == 1000


def test_names_in_an_archive_that_lead_elsewhere_write_nothing(tmp_path: Path):
    path = tmp_path / "inner" / "a.pth"
    path.parent.mkdir()
    torch.save({"a": torch.zeros(2)}, path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../../evil", b"x")
        archive.writestr("/tmp/evil-of-swinkit", b"x")
    with pytest.raises(SwinkitError):
        swinkit.load(path)
    assert sorted(entry.name for entry in tmp_path.rglob("*")) == ["a.pth", "inner"]
    assert not Path("/tmp/evil-of-swinkit").exists()


def test_a_file_that_is_exchanged_after_its_inspection_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path, other = tmp_path / "a.pth", tmp_path / "b.pth"
    torch.save({"a": torch.zeros(2)}, path)
    torch.save({"other": torch.ones(2)}, other)
    inspect, seen = files.inspect_torch, []

    def inspect_and_exchange(file: BinaryIO) -> None:
        inspect(file)
        other.replace(path)

    monkeypatch.setattr(files, "inspect_torch", inspect_and_exchange)
    monkeypatch.setattr(files, "unwrap", lambda loaded, *_: seen.append(loaded))
    with pytest.raises(DataError, match="changed while it was read"):
        read_contents(path)
    assert list(seen[0]) == ["a"]

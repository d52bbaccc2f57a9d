"""Attack: an archive in which torch's reader finds another pickle than the one that was inspected."""

import struct
import zipfile
from pathlib import Path

import pytest
import torch

from swinkit.errors import DataError
from swinkit.files.tensors import read_contents


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """Return a good file."""
    torch.save({"a": torch.zeros(2)}, tmp_path / "a.pth")
    assert read_contents(tmp_path / "a.pth").state
    return tmp_path / "a.pth"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        *((name, "two members of one name") for name in ("a/DATA.PKL", "A/data.pkl", "a/VERSION")),
        ("b/data.pkl", "holds 2 pickles"),
        *((name, "TorchScript") for name in ("a/constants.pkl", "a/Constants.PKL")),
    ],
)
def test_a_second_pickle_a_program_and_names_that_differ_in_case_are_refused(
    whole: Path, name: str, message: str
):
    with zipfile.ZipFile(whole, "a") as archive:
        archive.writestr(name, b"\x80\x02}.")
    with pytest.raises(DataError, match=message):
        read_contents(whole)


def test_what_follows_the_list_of_contents_is_refused(whole: Path):
    whole.write_bytes(whole.read_bytes() + b"x")
    with pytest.raises(DataError, match="is not at its end"):
        read_contents(whole)


def test_what_stands_before_the_archive_is_refused(whole: Path):
    """Python's reader shifts all places by it, torch's does not."""
    with zipfile.ZipFile(whole) as archive:
        first = archive.infolist()[0]
    content = whole.read_bytes()
    whole.write_bytes(content[: first.header_offset] + b"PK\x03\x04" + bytes(60) + content)
    with pytest.raises(DataError, match="list of contents"):
        read_contents(whole)


def test_a_list_of_contents_for_some_readers_only_is_refused(whole: Path):
    """Where the list of a large file stands, Python finds by looking there, torch by what the file says."""
    content = bytearray(whole.read_bytes())
    place = content.index(b"PK\x06\x07") + 8
    struct.pack_into("<Q", content, place, struct.unpack_from("<Q", content, place)[0] - 8)
    whole.write_bytes(content)
    with pytest.raises(DataError, match="not where it should be"):
        read_contents(whole)

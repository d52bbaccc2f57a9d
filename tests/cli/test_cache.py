"""`swinkit cache`: what it lists, compares and deletes."""

import json
from pathlib import Path

import pytest
import torch

from swinkit.cli.main import main
from swinkit.zoo.cache import companion_path, fetch_checkpoint
from swinkit.zoo.checkpoints import published_checkpoints
from swinkit.zoo.paths import cached_path

NAME = "swin-t/imagenet-1k"
OTHER = "swin-s/imagenet-1k"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a cache of one whole file and the beginning of another."""
    monkeypatch.setenv("SWINKIT_CACHE", str(tmp_path))
    path, other = (cached_path(published_checkpoints()[name]) for name in (NAME, OTHER))
    for parent in (path.parent, other.parent):
        parent.mkdir(parents=True)
    torch.save({"weight": torch.zeros(1000)}, path)
    fetch_checkpoint(published_checkpoints()[NAME], lambda have, total: None)
    companion_path(other, ".partial").write_bytes(b"begun")
    return tmp_path


def rows(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, dict[str, object]]:
    """Return the JSON of `swinkit cache`, by name."""
    main(["cache", "list", "--json", *arguments])
    return {row["name"]: row for row in json.loads(capsys.readouterr().out)}


def test_the_list_tells_what_is_whole_and_what_is_begun(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", "list"]) == 0
    out, err = capsys.readouterr()
    head, *lines = out.splitlines()
    assert head.split() == ["checkpoint", "size", "downloaded", "SHA-256"]
    assert [line.split()[0] for line in lines] == [OTHER, NAME]
    assert "not ended" in lines[0]
    assert "of the first download" in lines[1]
    assert err.startswith("2 files downloaded")


def test_json_tells_all(capsys: pytest.CaptureFixture[str]) -> None:
    row = rows(capsys)[NAME]
    assert row["whole"]
    assert row["path"] == str(cached_path(published_checkpoints()[NAME]))
    assert row["address"] == published_checkpoints()[NAME].address
    assert row["intact"] is None
    assert set(rows(capsys, NAME)) == {NAME}
    assert rows(capsys)[OTHER]["sha256"] is None


def test_files_are_compared_if_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert rows(capsys, "--check")[NAME]["intact"] is True
    with cached_path(published_checkpoints()[NAME]).open("r+b") as file:
        file.seek(100)
        file.write(b"?")
    assert main(["cache", "list", "--check"]) == 3
    out, err = capsys.readouterr()
    assert "NOT what it was" in out
    assert f"error: {NAME} differs from what was downloaded" in err


def test_one_checkpoint_is_deleted_or_all(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "notes.txt").write_text("mine")
    assert main(["cache", "clear", "swin_tiny_patch4_window7_224"]) == 0
    assert capsys.readouterr().err.startswith("1 file deleted")
    assert set(rows(capsys)) == {OTHER}
    assert main(["cache", "clear"]) == 0
    assert sorted(path.name for path in folder.iterdir()) == [".locks", "notes.txt"]


def test_nothing_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    main(["cache", "clear"])
    capsys.readouterr()
    assert main(["cache"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("0 files downloaded, 0.0 MB, in ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["claer"], "unknown action 'claer', did you mean 'clear'? (known: list, clear)"),
        (["clear", "--check"], "--check is for `swinkit cache list`"),
        (["clear", "swin-t/imagenet1k"], "did you mean 'swin-t/imagenet-1k'?"),
    ],
)
def test_mistakes_are_explained(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cache", *arguments]) == 2
    assert message in capsys.readouterr().err

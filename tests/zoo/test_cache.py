"""The cache of downloads: what is kept, what is checked, and what two processes do at once."""

import hashlib
import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

import swinkit
from swinkit.data.paths import cache_root
from swinkit.errors import DataError, EnvironmentProblem
from swinkit.models.build import build
from swinkit.models.specs import VARIANTS
from swinkit.tasks.classification.model import Classifier
from swinkit.weights.load import export_weights
from swinkit.zoo import cache
from swinkit.zoo.cache import (
    DownloadRecord,
    address_of,
    fetch_checkpoint,
    list_cached_files,
    lock,
    remove_cached_file,
)
from swinkit.zoo.checkpoints import Checkpoint, published_checkpoints
from swinkit.zoo.paths import cached_path, is_cached

from .server import Behaviour, serving

NAME = "swin-t/imagenet-1k"


def saved(state: dict[str, torch.Tensor]) -> bytes:
    """Return a file of torch."""
    file = io.BytesIO()
    torch.save({"model": state}, file)
    return file.getvalue()


CONTENT = saved({"weight": torch.arange(5000.0)})


def quiet(have: int, total: int | None) -> None:
    """Progress that nobody watches."""


@pytest.fixture
def behaviour() -> Behaviour:
    return Behaviour(CONTENT)


@pytest.fixture
def row(behaviour: Behaviour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Checkpoint]:
    """Yield a published checkpoint whose address leads to a server on this machine, and an empty cache."""
    monkeypatch.setenv("SWINKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SWINKIT_OFFLINE")
    with serving(behaviour) as address:
        monkeypatch.setenv("SWINKIT_MIRROR", address)
        yield published_checkpoints()[NAME]


def names(folder: Path) -> set[str]:
    """All files below a folder but the locks."""
    return {path.name for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"}


def test_a_checkpoint_is_downloaded_once(row: Checkpoint, behaviour: Behaviour) -> None:
    assert not is_cached(row)
    path = fetch_checkpoint(row, quiet)
    assert path.read_bytes() == CONTENT
    assert fetch_checkpoint(row, quiet) == path
    assert is_cached(row)
    assert len(behaviour.seen) == 1
    assert behaviour.seen[0][0] == "/SwinTransformer/storage/releases/download/v1.0.0/" + path.name
    assert names(cache_root()) == {path.name, f"{path.name}.json"}


def test_what_is_known_of_a_download_lies_beside_it(row: Checkpoint) -> None:
    record = DownloadRecord.read(fetch_checkpoint(row, quiet))
    assert record is not None
    assert (record.name, record.address, record.size) == (NAME, row.address, len(CONTENT))
    assert record.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert not record.compared


def test_a_published_hash_is_compared(row: Checkpoint) -> None:
    right = replace(row, sha256=hashlib.sha256(CONTENT).hexdigest()[:8])
    record = DownloadRecord.read(fetch_checkpoint(right, quiet))
    assert record is not None
    assert record.compared


def test_a_file_of_another_hash_is_refused_and_not_kept(row: Checkpoint) -> None:
    with pytest.raises(DataError, match=r"its SHA-256 is [0-9a-f]{64}, but 12345678\.\.\. was published"):
        fetch_checkpoint(replace(row, sha256="12345678"), quiet)
    assert not names(cache_root())


def test_a_file_that_changed_since_is_refused(row: Checkpoint) -> None:
    path = fetch_checkpoint(row, quiet)
    path.write_bytes(CONTENT[:-1] + b"?")
    with pytest.raises(
        DataError, match=r"is not what was downloaded .*swinkit cache clear swin-t/imagenet-1k"
    ):
        fetch_checkpoint(row, quiet)


def test_a_file_that_was_only_touched_is_taken(row: Checkpoint, behaviour: Behaviour) -> None:
    os.utime(fetch_checkpoint(row, quiet), (0, 0))
    fetch_checkpoint(row, quiet)
    assert len(behaviour.seen) == 1


def test_a_file_put_there_by_hand_is_taken_without_network(
    row: Checkpoint, behaviour: Behaviour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWINKIT_OFFLINE", "1")
    cached_path(row).parent.mkdir(parents=True)
    cached_path(row).write_bytes(CONTENT)
    path = fetch_checkpoint(row, quiet)
    assert DownloadRecord.read(path) is not None
    assert not behaviour.seen


def test_a_wrong_file_put_there_by_hand_is_refused_and_left(row: Checkpoint) -> None:
    cached_path(row).parent.mkdir(parents=True)
    cached_path(row).write_bytes(CONTENT[:-100])
    with pytest.raises(DataError, match="was not received whole"):
        fetch_checkpoint(row, quiet)
    assert cached_path(row).exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"  <!DOCTYPE html><html>Quota exceeded</html>", "a web page was received"),
        (CONTENT[:-100], "was not received whole"),
        (save({"weight": torch.ones(100)})[:-1], "was not received whole"),
        (b"\xff" * 100, "was not received whole"),
        ((10).to_bytes(8, "little") + b"[" * 10, "was not received whole"),
        (b"", "was not received whole"),
    ],
)
def test_what_is_no_whole_file_of_weights_is_refused(
    content: bytes, message: str, row: Checkpoint, behaviour: Behaviour
) -> None:
    behaviour.content = content
    with pytest.raises(DataError, match=message) as caught:
        fetch_checkpoint(row, quiet)
    assert str(caught.value).startswith(f"{row.name}: {address_of(row)}: ")  # the mirror's, which gave it
    assert f"fetch {row.address} elsewhere and put the file at {cached_path(row)}" in str(caught.value)
    assert not is_cached(row)


def test_safetensors_and_the_older_format_of_torch_are_taken(row: Checkpoint, behaviour: Behaviour) -> None:
    behaviour.content = save({"weight": torch.ones(100)})
    assert fetch_checkpoint(row, quiet).read_bytes() == behaviour.content
    remove_cached_file(list_cached_files()[0])
    file = io.BytesIO()
    torch.save({"weight": torch.ones(100)}, file, _use_new_zipfile_serialization=False)
    behaviour.content = file.getvalue()
    assert fetch_checkpoint(row, quiet).read_bytes() == behaviour.content


@pytest.mark.parametrize("value", ["1", "true"])
def test_offline_nothing_is_asked_for_and_the_way_by_hand_is_told(
    value: str, row: Checkpoint, behaviour: Behaviour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWINKIT_OFFLINE", value)
    with pytest.raises(
        EnvironmentProblem,
        match=r"not in the cache, and the network is forbidden \(--offline, .* By hand: fetch",
    ):
        fetch_checkpoint(row, quiet)
    assert not behaviour.seen


def test_a_refusal_names_the_checkpoint(row: Checkpoint, behaviour: Behaviour) -> None:
    behaviour.refusals = [(404, {})]
    with pytest.raises(
        DataError, match=r"^swin-t/imagenet-1k: http.*no such file any more \(404\)\. By hand"
    ):
        fetch_checkpoint(row, quiet)


def test_where_things_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SWINKIT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/shared")
    assert cache_root() == Path("/var/shared/swinkit")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_root() == Path.home() / ".cache" / "swinkit"
    monkeypatch.setenv("SWINKIT_CACHE", "~/weights")
    assert cache_root() == Path.home() / "weights"


def test_google_drive_is_asked_for_the_file_behind_its_page() -> None:
    row = published_checkpoints()["swin-b/imagenet-1k-simmim"]
    assert address_of(row) == (
        "https://drive.usercontent.google.com/download?"
        "id=1xEKyfMTsdh6TfnYhk5vbw0Yz7a-viZ0w&export=download&confirm=t"
    )
    assert cached_path(row).name == "simmim_finetune__swin_base__img224_window7__800ep.pth"


def test_no_two_checkpoints_share_a_place() -> None:
    places = [cached_path(row) for row in published_checkpoints().values()]
    assert len(set(places)) == len(places)


FETCH = """
import sys
from swinkit.zoo.cache import fetch_checkpoint
from swinkit.zoo.checkpoints import published_checkpoints
fetch_checkpoint(published_checkpoints()[sys.argv[1]], lambda have, total: print(have, flush=True))
"""


def fetching() -> subprocess.Popen[str]:
    """Return a process that fetches the checkpoint."""
    return subprocess.Popen([sys.executable, "-c", FETCH, NAME], stdout=subprocess.PIPE, text=True)


def test_two_processes_at_once_download_once(row: Checkpoint, behaviour: Behaviour) -> None:
    behaviour.pause = 0.3
    processes = [fetching(), fetching()]
    assert [process.wait(20) for process in processes] == [0, 0]
    for process in processes:
        process.communicate()
    assert len(behaviour.seen) == 1
    assert cached_path(row).read_bytes() == CONTENT


def test_a_process_that_is_killed_leaves_a_part_to_go_on_with_and_no_lock(
    row: Checkpoint, behaviour: Behaviour
) -> None:
    behaviour.drip, behaviour.flow = 0.05, 16_000
    process = fetching()
    assert process.stdout is not None
    while int(process.stdout.readline()) < behaviour.flow:
        pass
    process.send_signal(signal.SIGKILL)
    process.wait(5)
    process.communicate()
    partial = cache.companion_path(cached_path(row), ".partial")
    size = partial.stat().st_size
    assert size > 0
    behaviour.drip = 0
    assert [(entry.name, entry.record) for entry in list_cached_files()] == [(NAME, None)]
    began = time.monotonic()
    assert fetch_checkpoint(row, quiet).read_bytes() == CONTENT
    assert time.monotonic() - began < 5
    assert behaviour.seen[-1][1] == f"bytes={size}-"
    assert not partial.exists()


def test_the_list_tells_what_is_there_and_removing_takes_only_that(row: Checkpoint, tmp_path: Path) -> None:
    assert list_cached_files() == []
    path = fetch_checkpoint(row, quiet)
    stranger = path.with_name("notes.txt")
    stranger.write_text("mine")
    (entry,) = list_cached_files()
    assert (entry.name, entry.path, entry.size) == (NAME, path, len(CONTENT))
    remove_cached_file(entry)
    assert names(cache_root()) == {"notes.txt"}
    stranger.unlink()
    fetch_checkpoint(row, quiet)
    remove_cached_file(list_cached_files()[0])
    assert [path.name for path in cache_root().iterdir()] == [".locks"]


def test_what_another_process_downloads_is_not_removed(row: Checkpoint) -> None:
    path = fetch_checkpoint(row, quiet)
    with lock(path), pytest.raises(EnvironmentProblem, match="being downloaded by another process"):
        remove_cached_file(list_cached_files()[0])
    assert path.exists()


def test_who_waits_for_a_lock_holds_it_next(row: Checkpoint) -> None:
    path = cached_path(row)
    entered, leave = threading.Event(), threading.Event()

    def other() -> None:
        with lock(path):
            entered.set()
            leave.wait(5)

    with lock(path):
        thread = threading.Thread(target=other)
        thread.start()
        time.sleep(0.1)
        assert not entered.is_set()
    assert entered.wait(5)
    with pytest.raises(EnvironmentProblem, match="by another process"), lock(path, wait=False):
        pass
    leave.set()
    thread.join()


def test_a_cache_that_cannot_be_written_is_told(
    row: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SWINKIT_CACHE", str(tmp_path / "file"))
    with pytest.raises(EnvironmentProblem, match=r"cannot be written .*SWINKIT_CACHE"):
        fetch_checkpoint(row, quiet)


def test_a_published_checkpoint_loads_by_name_with_what_is_known_of_it(
    row: Checkpoint, behaviour: Behaviour, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = [f"class {i}" for i in range(10)]
    original = Classifier(build(VARIANTS["swin-pico"].spec), labels, swinkit.load().preprocess).eval()
    behaviour.content = saved(export_weights(original, "microsoft"))
    fit = {"crop": (32, 32), "resize": 36, "interpolation": "bilinear", "mean": (0.5,) * 3, "std": (0.2,) * 3}
    small = replace(
        row, name="swin-pico/test", preprocess=fit, reported={"top1": 12.5}, note="made for a test"
    )
    monkeypatch.setitem(published_checkpoints(), small.name, small)
    model = swinkit.load("swin-pico/test")
    assert isinstance(model, Classifier)
    assert (model.preprocess.resize, model.preprocess.std) == (36, (0.2, 0.2, 0.2))
    assert model.backbone.spec.border == "square"
    pixels = torch.randn(1, 3, 32, 32)
    assert torch.equal(model(pixels), original(pixels))
    said = capsys.readouterr().err
    assert "downloading swin-pico/test: 100 % of" in said
    assert "licence MIT" in said
    assert "reported: top1 12.5" in said
    assert "note: made for a test" in said

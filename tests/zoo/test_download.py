"""Downloading from servers that behave as those on the web do, and as they should not."""

import errno
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.utils import format_datetime
from pathlib import Path

import pytest

from swinkit.errors import DataError, EnvironmentProblem
from swinkit.zoo import download as module
from swinkit.zoo.download import HttpsRedirectHandler, Patience, ResumeMark, download

from .server import TAG, Behaviour, serving

CONTENT = bytes(range(256)) * 400  # 102,400 bytes
QUICK = Patience(attempts=3, pause=0.01, longest_pause=0.5, silence=0.5, window=0.2, slowest=10_000)


def fetched(
    behaviour: Behaviour, folder: Path, patience: Patience = QUICK
) -> tuple[bytes, list[tuple[int, int | None]]]:
    """Return the downloaded bytes, and the progress that was reported."""
    told: list[tuple[int, int | None]] = []
    with serving(behaviour) as address:
        download(f"{address}/file.pth", folder / "file.partial", lambda *step: told.append(step), patience)
    return (folder / "file.partial").read_bytes(), told


def test_a_file_arrives_whole_and_its_progress_is_told(tmp_path: Path) -> None:
    content, told = fetched(Behaviour(CONTENT), tmp_path)
    assert content == CONTENT
    assert told[0] == (0, len(CONTENT))
    assert told[-1] == (len(CONTENT), len(CONTENT))


def test_redirects_are_followed(tmp_path: Path) -> None:
    behaviour = Behaviour(CONTENT, hops=3)
    assert fetched(behaviour, tmp_path)[0] == CONTENT
    assert [path for path, _ in behaviour.seen] == ["/file.pth", *(f"/elsewhere?hop={i}" for i in (1, 2, 3))]


@pytest.mark.parametrize("target", ["http://other.test/file", "file:///etc/passwd", "ftp://other.test/file"])
def test_https_is_not_left(target: str) -> None:
    request = urllib.request.Request("https://first.test/file")
    with pytest.raises(DataError, match="without https"):
        HttpsRedirectHandler().redirect_request(request, None, 302, "Found", None, target)


def test_a_cut_connection_is_taken_up_where_it_ended(tmp_path: Path) -> None:
    behaviour = Behaviour(CONTENT, cuts=[30_000, 30_000])
    assert fetched(behaviour, tmp_path)[0] == CONTENT
    assert [part for _, part in behaviour.seen] == [None, "bytes=30000-", "bytes=60000-"]


def test_a_connection_that_is_cut_again_and_again_is_given_up_and_the_part_kept(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match=r"ended after 3 of 102400 bytes; what came so far is kept"):
        fetched(Behaviour(CONTENT, cuts=[1, 1, 1]), tmp_path)
    assert (tmp_path / "file.partial").read_bytes() == CONTENT[:3]


def test_cuts_are_counted_anew_where_the_file_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROGRESS", 10_000)
    assert fetched(Behaviour(CONTENT, cuts=[10_000] * 8), tmp_path)[0] == CONTENT


@pytest.mark.parametrize(
    ("part", "total", "asked"),
    [
        (CONTENT[:50_000], len(CONTENT), ["bytes=50000-"]),
        (CONTENT * 2, None, ["bytes=204800-", None]),  # longer than the file, so it begins anew
    ],
)
def test_another_run_goes_on_with_what_an_earlier_one_left(
    part: bytes, total: int | None, asked: list[str | None], tmp_path: Path
) -> None:
    behaviour = Behaviour(CONTENT)
    assert resumed(behaviour, tmp_path, part, total) == CONTENT
    assert behaviour.seen == [("/file.pth", part) for part in asked]


def resumed(behaviour: Behaviour, folder: Path, part: bytes, total: int | None) -> bytes:
    """Download where an earlier run left `part` of a file of `total` bytes."""
    with serving(behaviour) as address:
        partial = folder / "file.partial"
        partial.write_bytes(part)
        ResumeMark(f"{address}/file.pth", TAG, total).write(partial)
        download(f"{address}/file.pth", partial, lambda *_: None, QUICK)
    return partial.read_bytes()


def test_a_part_that_is_already_whole_is_not_asked_for(tmp_path: Path) -> None:
    partial = tmp_path / "file.partial"
    partial.write_bytes(CONTENT)
    ResumeMark("http://nowhere.test/file", TAG, len(CONTENT)).write(partial)
    download("http://nowhere.test/file", partial, lambda *_: None, QUICK)  # which nobody could answer
    assert partial.read_bytes() == CONTENT


@pytest.mark.parametrize("behaviour", [{"ranges": False}, {"tag": '"v2"'}, {"tag": None}])
def test_a_part_that_cannot_be_gone_on_with_begins_anew(behaviour: dict[str, object], tmp_path: Path) -> None:
    assert resumed(Behaviour(CONTENT, **behaviour), tmp_path, b"other bytes" * 100, None) == CONTENT


@pytest.mark.parametrize("mark", ["", "{", "[]", '{"address": 1}'])
def test_a_part_without_a_readable_mark_begins_anew(mark: str, tmp_path: Path) -> None:
    (tmp_path / "file.partial").write_bytes(b"?" * 10)
    (tmp_path / "file.partial.json").write_text(mark)
    assert fetched(Behaviour(CONTENT), tmp_path)[0] == CONTENT


def test_another_part_than_was_asked_for_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="another part than was asked for"):
        fetched(Behaviour(CONTENT, cuts=[1000], begin=500), tmp_path)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again(status: int, tmp_path: Path) -> None:
    behaviour = Behaviour(CONTENT, refusals=[(status, {}), (status, {})])
    assert fetched(behaviour, tmp_path)[0] == CONTENT
    assert len(behaviour.seen) == 3


def test_a_server_that_stays_busy_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match=r"the server answers 500 .*try again later"):
        fetched(Behaviour(CONTENT, refusals=[(500, {})] * 3), tmp_path)


def test_the_time_that_a_server_asks_for_is_waited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    refusals = [(429, {"Retry-After": "7"}), (503, {"Retry-After": date}), (503, {"Retry-After": "soon"})]
    fetched(Behaviour(CONTENT, refusals=refusals), tmp_path, Patience(attempts=5))
    assert [pause for pause in pauses if pause] == [7.0, pytest.approx(60, abs=2), 4.0]


def test_too_long_a_pause_is_told_instead_of_waited(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match=r"answers 429 .*it asks to wait 3600 s"):
        fetched(Behaviour(CONTENT, refusals=[(429, {"Retry-After": "3600"})]), tmp_path)


@pytest.mark.parametrize(
    ("status", "message"), [(404, "no such file any more"), (410, "no such file"), (403, "refuses it")]
)
def test_what_is_not_there_is_not_asked_for_again(status: int, message: str, tmp_path: Path) -> None:
    behaviour = Behaviour(CONTENT, refusals=[(status, {})])
    with pytest.raises(DataError, match=message):
        fetched(behaviour, tmp_path)
    assert len(behaviour.seen) == 1


def test_a_page_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="answers with a page instead of the file"):
        fetched(Behaviour(page=True), tmp_path)


def test_a_file_shorter_than_announced_is_never_whole(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="ended after 102400 of 200000 bytes"):
        fetched(Behaviour(CONTENT, announced=200_000, ranges=False), tmp_path)


def test_a_file_of_unknown_length_is_taken_as_it_comes(tmp_path: Path) -> None:
    content, told = fetched(Behaviour(CONTENT, unannounced=True), tmp_path)
    assert content == CONTENT
    assert told[-1] == (len(CONTENT), None)


@pytest.mark.parametrize("unannounced", [False, True])
def test_a_file_beyond_the_limit_is_refused(unannounced: bool, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="allowed"):
        fetched(Behaviour(CONTENT, unannounced=unannounced), tmp_path, Patience(largest=1000))


def test_a_server_that_drips_is_given_up(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(EnvironmentProblem, match=r"it is too slow: \d+ bytes a second"):
        fetched(Behaviour(CONTENT, drip=0.02), tmp_path)
    assert time.monotonic() - began < 5


def test_a_server_that_falls_silent_is_given_up(tmp_path: Path) -> None:
    patience = Patience(attempts=1, silence=0.2)
    with pytest.raises(EnvironmentProblem, match="the connection broke"):
        fetched(Behaviour(CONTENT, drip=0.6), tmp_path, patience)


def test_a_port_where_nobody_listens_is_told(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/file"
        with pytest.raises(EnvironmentProblem, match="no connection"):
            download(address, tmp_path / "file.partial", lambda *_: None, QUICK)


def test_no_network_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*words: object, **options: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    with pytest.raises(EnvironmentProblem, match="no network, or no such server"):
        download("https://github.com/file", tmp_path / "file.partial", lambda *_: None)


def test_a_disk_without_room_is_told_before_anything_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10**6, 10**6, 1000))
    with pytest.raises(EnvironmentProblem, match=r"0\.1 MB are needed there and 0\.0 MB are free; make room"):
        fetched(Behaviour(CONTENT), tmp_path)
    assert not (tmp_path / "file.partial").exists()


ON_A_SMALL_DISK = """
import subprocess, sys, pathlib
folder, address = sys.argv[1:]
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=True)
from swinkit.errors import EnvironmentProblem
from swinkit.zoo.download import download
partial = pathlib.Path(folder) / "file.partial"
try:
    download(address, partial, lambda *_: None)
except EnvironmentProblem as problem:
    print(problem, "|", partial.stat().st_size)
"""


@pytest.fixture
def small_disk() -> list[str]:
    """Return the beginning of a command in which file systems can be mounted that nobody else sees."""
    command = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*command, "true"], check=False, capture_output=True).returncode
    ):
        pytest.skip("this machine lets nobody mount a small disk; see the test with /dev/full")
    return command


def test_a_disk_that_fills_is_told_and_the_part_kept(tmp_path: Path, small_disk: list[str]) -> None:
    with serving(Behaviour(CONTENT, unannounced=True)) as address:
        command = [*small_disk, sys.executable, "-c", ON_A_SMALL_DISK, str(tmp_path), address]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "file.partial: cannot be written (No space left on device)" in said
    assert "make room and try again" in said
    assert int(said.rpartition("|")[2]) > 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_device_is_told(tmp_path: Path) -> None:
    (tmp_path / "file.partial").symlink_to("/dev/full")
    with pytest.raises(EnvironmentProblem, match=f"{os.strerror(errno.ENOSPC)}.*make room and try again"):
        fetched(Behaviour(CONTENT), tmp_path)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file.partial").mkdir()
    with pytest.raises(EnvironmentProblem, match=r"cannot be written .*SWINKIT_CACHE"):
        fetched(Behaviour(CONTENT), tmp_path)


@pytest.mark.parametrize("address", ["example.com/file.pth", "http://[bad/file.pth", "nothing"])
def test_what_is_no_address_is_said_to_be_none(address: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no address of a file"):
        download(address, tmp_path / "file.partial", lambda *_: None, QUICK)


def test_a_redirect_to_no_address_is_said_to_be_one(tmp_path: Path) -> None:
    behaviour = Behaviour(CONTENT, refusals=[(302, {"Location": "http://[bad/file"})])
    with pytest.raises(DataError, match="no address of a file"):
        fetched(behaviour, tmp_path)


@pytest.mark.parametrize("text", ["²", "x", "", "-1"])
def test_a_header_that_is_no_number_is_passed_over(text: str) -> None:
    headers = Message()
    headers["Retry-After"] = text
    assert module.retry_after(headers) is None
    assert not module.is_number(text)

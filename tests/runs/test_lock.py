"""One process at a time trains in a folder; the lock goes with the process, however that ends."""

import errno
import fcntl
import gc
import os
import subprocess
import sys

import pytest

from swinkit.errors import EnvironmentProblem, UsageError
from swinkit.runs.folder import RunFolder
from swinkit.runs.lock import LOCK, Lock
from swinkit.training.loop import train

from ..training.jobs import job, recipe
from ..training.processes import after_steps, ended, started


def locked(folder):
    """Whether the lock is held: asked by another process, since none shuts itself out."""
    child = os.fork()
    if child == 0:
        file = os.open(folder / LOCK, os.O_RDWR)
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] != 0


def test_another_process_is_refused_until_this_one_lets_go(tmp_path):
    lock = Lock(tmp_path)
    assert locked(tmp_path)
    lock.release()
    lock.release()  # twice does no harm
    assert not locked(tmp_path)


def test_a_lock_that_is_forgotten_is_let_go(tmp_path):
    lock = Lock(tmp_path)
    del lock
    gc.collect()
    assert not locked(tmp_path)


def test_where_the_system_has_no_such_locks_nothing_trains(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with pytest.raises(EnvironmentProblem, match="training needs Linux or macOS"):
        Lock(tmp_path)


def test_where_the_system_has_no_such_locks_all_else_works():
    """As on Windows, which lacks these modules."""
    code = (
        "import sys; sys.modules.update(fcntl=None, resource=None)\n"
        "import swinkit, torch; print(swinkit.load()(torch.zeros(1, 3, 32, 32)).shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "torch.Size([1, 10])" in done.stdout, done.stderr


def test_the_second_training_is_refused_and_the_first_unharmed(tmp_path):
    run = tmp_path / "run"
    first = started(run, seconds=30.0)
    after_steps(run, first, 1)
    with pytest.raises(
        UsageError, match=rf"is in use: process {first.pid} on .*, since .*, trains in it; wait"
    ):
        Lock(run)
    assert ended(started(run)) == 2
    assert first.is_alive()
    first.kill()
    ended(first)
    assert ended(started(run)) == 0


def test_a_training_lets_go_when_it_ends_and_when_it_is_refused(tmp_path):
    train(job(recipe(1)), recipe(1), RunFolder(tmp_path))
    assert not locked(tmp_path)
    folder = RunFolder(tmp_path)
    with pytest.raises(UsageError, match="holds a run that differs"):
        folder.begin(job(recipe(2)).config)
    assert not locked(tmp_path)


def test_a_folder_of_something_else_is_not_even_locked(tmp_path):
    (tmp_path / "thesis.txt").write_text("")
    with pytest.raises(UsageError, match="and no run"):
        RunFolder(tmp_path).begin({})
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_told_and_used(code, tmp_path, monkeypatch, caplog):
    def lacking(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("fcntl.lockf", lacking)
    Lock(tmp_path).release()
    assert f"{tmp_path} is on a file system without locks; only one training at a time" in caplog.text


def test_another_failure_to_lock_is_not_taken_for_a_lock(tmp_path, monkeypatch):
    def failing(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("fcntl.lockf", failing)
    with pytest.raises(OSError, match="Input/output error"):
        Lock(tmp_path)

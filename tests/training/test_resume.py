"""A training that is killed, however and whenever, goes on to exactly the weights of one that was not.

The moments are drawn from $KILL_SEED, which the names of the tests show. By day a few are tried; `make
kill-tests` tries all of them ten times, with another seed each time.
"""

import os
import random
import shutil
import signal
import time
from itertools import pairwise

import pytest

from swinkit.runs.checkpoints import is_whole
from swinkit.runs.lock import LOCK
from swinkit.training.stopping import ECHO

from .disks import small_disk
from .moments import SEED, by_day, moments
from .processes import after_steps, ended, started
from .states import assert_same, last_state

pytestmark = pytest.mark.processes

CHANGES = 105  # of the disk, by a run, at least: what it forces there, renames and removes
STEP = 0.05  # seconds; about as long as a step takes


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return the last checkpoint of a training that nothing stopped."""
    path = tmp_path_factory.mktemp("runs") / "whole"
    assert ended(started(path)) == 0
    return last_state(path)


@pytest.mark.parametrize("seed", [SEED])
@pytest.mark.parametrize("workers", [0, 1, 2])
def test_kill_9_at_random_moments_changes_nothing(whole, workers, seed, tmp_path):
    draw, run = random.Random(f"{seed} {workers}"), tmp_path / "run"
    steps = sorted(draw.sample(range(1, 7), 3))  # of twelve: until it is killed it may take one or two more
    for before, step in pairwise([0, *steps]):
        process = started(run, workers=workers)
        after_steps(run, process, step - before)
        time.sleep(draw.uniform(0, STEP))
        process.kill()
        assert ended(process) == -signal.SIGKILL
    assert ended(started(run, workers=workers)) == 0
    assert_same(last_state(run), whole)


@pytest.mark.parametrize(
    ("dies_at", "workers"), by_day([(at, at % 3) for at in moments(14, of=CHANGES)], every=3)
)
def test_kill_9_while_something_is_written_changes_nothing(whole, dies_at, workers, tmp_path):
    run = tmp_path / "run"
    assert ended(started(run, dies_at=dies_at, workers=workers)) == -signal.SIGKILL
    assert ended(started(run, workers=workers)) == 0
    assert_same(last_state(run), whole)
    assert not [path for path in run.rglob("*") if path.name[0] == "." and path.name != LOCK]


@pytest.mark.parametrize(
    "moment", [0.0, random.Random(SEED).uniform(0, 1), random.Random(SEED).uniform(1, 6)]
)
def test_kill_9_inside_of_a_checkpoint_changes_nothing(whole, moment, tmp_path):
    """After any byte of it."""
    run = tmp_path / "run"
    assert ended(started(run, dies_inside=moment or 1e-9)) == -signal.SIGKILL
    assert [path for path in (run / "checkpoints").iterdir() if path.name[0] == "."]
    assert ended(started(run)) == 0
    assert_same(last_state(run), whole)
    assert not [path for path in run.rglob("*") if path.name[0] == "." and path.name != LOCK]


@pytest.mark.parametrize("seed", [SEED])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_asked_to_stop_it_finishes_the_step_and_saves(whole, number, code, seed, tmp_path):
    draw, run = random.Random(f"{seed} {code}"), tmp_path / "run"
    process = started(run, save_every=1000)
    after_steps(run, process, 3)
    time.sleep(draw.uniform(0, STEP))
    os.kill(process.pid, number)
    assert ended(process) == code
    (checkpoint,) = (run / "checkpoints").iterdir()
    assert checkpoint.name > "epoch-0000-step-00000002"
    assert ended(started(run, save_every=1000)) == 0
    assert_same(last_state(run), whole)


def test_a_second_signal_ends_it_at_once(whole, tmp_path):
    run = tmp_path / "run"
    process = started(run, seconds=30.0)
    after_steps(run, process, 1)
    for _ in range(3):  # one request, come by several ways
        os.kill(process.pid, signal.SIGTERM)
        time.sleep(0.01)
    time.sleep(2 * ECHO)
    assert process.is_alive()
    os.kill(process.pid, signal.SIGINT)
    assert ended(process) == 130
    assert not (run / "checkpoints").exists()
    assert ended(started(run)) == 0
    assert_same(last_state(run), whole)


@pytest.fixture
def disk(tmp_path):
    """Yield a small file system of its own."""
    with small_disk(tmp_path / "disk", "4m") as place:
        yield place


@pytest.mark.parametrize("free", [3_000, 40_000, 150_000, 330_000])
def test_a_full_disk_stops_it_and_loses_nothing(whole, disk, free):
    run, filling = disk / "run", disk / "filling"
    filling.write_bytes(bytes(shutil.disk_usage(disk).free - free))
    code = ended(started(run, save_every=1))
    assert code == 4
    checkpoints = list((run / "checkpoints").glob("epoch-*"))
    assert all(is_whole(checkpoint) for checkpoint in checkpoints)
    filling.unlink()
    assert ended(started(run, save_every=1)) == 0
    assert_same(last_state(run), whole)

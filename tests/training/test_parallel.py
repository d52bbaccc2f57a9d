"""Several processes compute what one does, and are stopped and resumed as one."""

import os
import signal

import pytest
import torch

from swinkit.errors import UsageError
from swinkit.training.job import Plan
from swinkit.training.parallel import blocks, unwrap_blocks, wrap_blocks
from swinkit.training.recipe import Run

from .jobs import job, recipe
from .processes import after_steps, ended, started, started_together
from .states import assert_same, last_state


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The last checkpoint of one process with twice the accumulation."""
    path = tmp_path_factory.mktemp("runs") / "alone"
    assert ended(started(path, micro_batch=1)) == 0
    return last_state(path)


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """The last checkpoint of two processes."""
    path = tmp_path_factory.mktemp("runs") / "together"
    assert [ended(each) for each in started_together(path, 2, micro_batch=1)] == [0, 0]
    return last_state(path)


@pytest.mark.parametrize("part", ["model", "model_ema"])
def test_two_processes_compute_what_one_does_with_twice_the_accumulation(alone, together, part):
    assert alone["progress"]["updates"] == together["progress"]["updates"] == 12
    for name, value in alone[part].items():
        torch.testing.assert_close(value, together[part][name], rtol=1e-4, atol=1e-5, msg=name)


def test_two_processes_that_are_killed_go_on_to_the_same_weights(together, tmp_path):
    run = tmp_path / "run"
    processes = started_together(run, 2, micro_batch=1)
    after_steps(run, processes[0], 5)
    for process in processes:
        process.kill()
        ended(process)
    assert [ended(each) for each in started_together(run, 2, micro_batch=1)] == [0, 0]
    assert_same(last_state(run), together)


def test_a_signal_to_one_process_stops_both_after_the_same_step(together, tmp_path):
    run = tmp_path / "run"
    processes = started_together(run, 2, micro_batch=1, save_every=1000)
    after_steps(run, processes[0], 3)
    os.kill(processes[1].pid, signal.SIGTERM)
    assert [ended(each) for each in processes] == [143, 143]
    assert [ended(each) for each in started_together(run, 2, micro_batch=1, save_every=1000)] == [0, 0]
    assert_same(last_state(run), together)


def test_blocks_are_compiled_one_by_one_and_keep_the_names_of_their_weights():
    task = job(recipe()).task
    names = list(task.state_dict())
    wrap_blocks(task, checkpointing=True, compiling=True)
    compiled = [part for part in task.modules() if part._compiled_call_impl is not None]
    assert compiled == list(blocks(task))
    assert len(compiled) == 2
    assert list(task.state_dict()) == names
    unwrap_blocks(task)
    assert all(part._compiled_call_impl is None and "forward" not in vars(part) for part in task.modules())


@pytest.mark.parametrize(
    ("batch", "micro", "ranks", "accumulation"), [(12, None, 3, 1), (12, 2, 1, 6), (12, 2, 3, 2)]
)
def test_the_batch_is_shared_out_evenly(batch, micro, ranks, accumulation):
    assert Plan.of(Run(batch_size=batch, micro_batch=micro), ranks).accumulation == accumulation


@pytest.mark.parametrize(("batch", "micro", "ranks"), [(2, None, 3), (12, None, 5), (12, 4, 2)])
def test_a_batch_that_cannot_be_shared_is_refused(batch, micro, ranks):
    with pytest.raises(UsageError, match=f"run.batch_size={batch} cannot be shared by {ranks} processes"):
        Plan.of(Run(batch_size=batch, micro_batch=micro), ranks)

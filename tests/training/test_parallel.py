"""Several processes compute what one does, and are stopped and resumed as one."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import swinkit
from swinkit.core.block import Block
from swinkit.errors import UsageError
from swinkit.runs.folder import RunFolder
from swinkit.settings.run import Run
from swinkit.training.batch_plan import Plan
from swinkit.training.loop import train
from swinkit.training.parallelize import blocks, unwrap_blocks, wrap_blocks
from swinkit.training.step import Objective
from tests.models.small import PIXELS

from .jobs import Numbers, job, prepare, recipe
from .moments import SEED, by_day
from .processes import after_steps, ended, started, started_together
from .sharing import borrow, measure, step
from .states import assert_same, last_state

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Return the last checkpoint of one process with twice the accumulation."""
    path = tmp_path_factory.mktemp("runs") / "alone"
    assert ended(started(path, micro_batch=1)) == 0
    return last_state(path)


@pytest.fixture(scope="module", params=["none", "full"])
def together(request, tmp_path_factory):
    """Return sharding and run of two processes; each has all weights (DDP) or its part (FSDP2)."""
    run = tmp_path_factory.mktemp("runs") / request.param
    assert run_together(run, sharding=request.param) == [0, 0]
    return request.param, run


def run_together(run, **options):
    """Two processes train; their exit codes."""
    return [ended(each) for each in started_together(run, 2, micro_batch=1, **options)]


def moment(name):
    """After how many of the steps, those of each process counted, to kill."""
    return random.Random(f"{SEED} {name}").randint(4, 9)


def killed_after(run, processes, steps):
    """Kill all of them after so many steps."""
    after_steps(run, processes[0], steps)
    for process in processes:
        process.kill()
        ended(process)


def assert_close(ours, theirs):
    """All tensors, within what adding in another order changes; all else must be the same."""
    assert type(ours) is type(theirs)
    if isinstance(ours, dict | list):
        assert len(ours) == len(theirs)
        for name in ours if isinstance(ours, dict) else range(len(ours)):
            if name not in ("loss", "best", "best_loss"):
                assert_close(ours[name], theirs[name])
    elif isinstance(ours, torch.Tensor):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    else:
        assert ours == theirs


def test_two_processes_compute_what_one_does_with_twice_the_accumulation(alone, together):
    assert alone["progress"]["updates"] == 12
    assert_close(last_state(together[1]), alone)


@pytest.mark.parametrize("sharding", ["none", "full"])
def test_a_step_that_is_not_finite_in_one_process_is_skipped_by_both(sharding, tmp_path):
    one, both = tmp_path / "one", tmp_path / "both"
    assert ended(started(one, micro_batch=1, poisoned=7)) == 0
    assert run_together(both, sharding=sharding, poisoned=7) == [0, 0]
    assert_close(last_state(both), last_state(one))
    expected, found = (
        [event["samples"] for event in RunFolder(run).events() if event["event"] == "skipped"]
        for run in (one, both)
    )
    assert found == expected
    assert [len(samples) for samples in found] == [4, 4]  # one step of each epoch, with the names of all


@pytest.mark.parametrize("sharding", ["none", "full"])
def test_two_processes_compute_in_bf16_what_one_does(sharding, tmp_path):
    one, both = tmp_path / "one", tmp_path / "both"
    assert ended(started(one, micro_batch=1, precision="bf16")) == 0
    assert run_together(both, sharding=sharding, precision="bf16") == [0, 0]
    ours, theirs = last_state(both), last_state(one)
    for name, value in theirs["model"].items():
        torch.testing.assert_close(ours["model"][name], value, rtol=1e-3, atol=1e-4)


def test_two_processes_find_one_micro_batch_for_both(tmp_path):
    """Of a batch of four each takes two, which surely fit, as one process that takes two at a time."""
    run = tmp_path / "run"
    assert [ended(each) for each in started_together(run, 2, micro_batch="auto")] == [0, 0]
    assert json.loads((run / "config.json").read_text())["found"] == {"micro_batch": 2}
    assert ended(started(tmp_path / "one", micro_batch=2)) == 0
    assert_close(last_state(run), last_state(tmp_path / "one"))


def test_two_processes_that_are_killed_go_on_to_the_same_weights(together, tmp_path):
    sharding, whole = together
    processes = started_together(tmp_path / "run", 2, micro_batch=1, sharding=sharding)
    killed_after(tmp_path / "run", processes, moment(f"{sharding} together"))
    assert run_together(tmp_path / "run", sharding=sharding) == [0, 0]
    assert_same(last_state(tmp_path / "run"), last_state(whole))


def test_a_signal_to_one_process_stops_both_after_the_same_step(together, tmp_path):
    sharding, whole = together
    run, options = tmp_path / "run", {"save_every": 1000, "sharding": sharding}
    processes = started_together(run, 2, micro_batch=1, **options)
    after_steps(run, processes[0], 3)
    os.kill(processes[1].pid, signal.SIGTERM)
    assert [ended(each) for each in processes] == [143, 143]
    assert run_together(run, **options) == [0, 0]
    assert_same(last_state(run), last_state(whole))


FAULTS = {
    "picture": ({"bad": 7}, 3, "sample-7 of train cannot be read"),
    # In the second batch, which is of the second process.
    "held-out picture": ({"bad_watched": 2}, 3, "sample-2 of val cannot be read"),
    "disk": ({"full_at": 12}, 4, "No space left on device"),
}


@pytest.mark.parametrize(
    ("together", "fault"),
    by_day(
        [
            ("none", "picture"),
            ("full", "picture"),
            ("full", "held-out picture"),
            ("none", "held-out picture"),
            ("none", "disk"),
            ("full", "disk"),
        ],
        every=2,
    ),
    indirect=["together"],
)
def test_an_error_of_one_process_stops_both_in_order_and_is_told_once(fault, together, tmp_path):
    fault, code, told = FAULTS[fault]
    sharding, whole = together
    run = tmp_path / "run"
    assert run_together(run, sharding=sharding, **fault) == [code, code]
    (error,) = errors(run)
    assert told in error
    assert run_together(run, sharding=sharding) == [0, 0]
    assert_same(last_state(run), last_state(whole))


def test_an_error_that_all_have_is_told_once(tmp_path):
    assert run_together(tmp_path / "run", bad=0) == [3, 3]
    assert run_together(tmp_path / "run", epochs=3) == [2, 2]
    first, second = errors(tmp_path / "run")
    assert "sample-0" in first
    assert "holds a run that differs" in second


def test_one_that_is_left_alone_says_so_in_one_line(tmp_path):
    run = tmp_path / "run"
    processes = started_together(run, 2, micro_batch=1)
    after_steps(run, processes[0], 2)
    processes[1].kill()
    assert [ended(each) for each in processes] == [1, -signal.SIGKILL]
    (error,) = errors(run)
    assert error.startswith("a peer process of this training has failed; see its output")


def errors(run):
    """Return the errors of a run's processes, one a line."""
    return Path(f"{run}.errors").read_text().splitlines()


def test_after_the_wait_no_other_thread_holds_what_was_exchanged(tmp_path):
    path = tmp_path / "found"
    assert [ended(each) for each in started_together(path, 2, borrow)] == [0, 0]
    for rank in range(2):
        found = json.loads(Path(f"{path}-{rank}.json").read_text())
        assert found == {"counts": [3], "held": 0}  # its own and both answers


def test_a_process_does_not_end_while_another_thread_holds_what_was_exchanged():
    code = """
import atexit, threading, time, weakref, torch
atexit.register(lambda: print("held:", len(held)))  # called last, since it is registered first
from swinkit.training.distributed import in_flight
held = [torch.zeros(1)]
in_flight.append(weakref.ref(held[0]))
threading.Thread(target=lambda: (time.sleep(0.3), held.clear()), daemon=True).start()
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "held: 0\n"


def test_one_process_goes_on_with_what_several_began(alone, tmp_path):
    run = tmp_path / "run"
    killed_after(run, started_together(run, 2, micro_batch=1, sharding="full"), moment("by one"))
    assert ended(started(run, micro_batch=1, allow_changes=True)) == 0
    assert_close(last_state(run), alone)


def test_several_processes_go_on_with_what_one_began(alone, tmp_path):
    run = tmp_path / "run"
    killed_after(run, [started(run, micro_batch=1)], moment("by several"))
    assert run_together(run, sharding="full", allow_changes=True) == [0, 0]
    assert_close(last_state(run), alone)


def test_what_several_processes_save_is_an_ordinary_model(together):
    _, run = together
    averaged = last_state(run)["model_ema"]
    saved = swinkit.load(run / "last").state_dict()
    assert list(saved) == list(averaged)
    assert all(torch.equal(value, averaged[name]) for name, value in saved.items())


def test_several_processes_measure_what_one_does_to_the_bit(tmp_path):
    assert ended(started(tmp_path / "alone", measure)) == 0
    for sharding in ("none", "full"):
        both = started_together(tmp_path / sharding, 2, measure, sharding=sharding)
        assert [ended(each) for each in both] == [0, 0]
    found = [json.loads(path.read_text()) for path in sorted(tmp_path.glob("*.json"))]
    assert len(found) == 5
    assert [len(each["observed"]) for each in found] == [5] * 5
    assert all(each == found[0] for each in found)
    assert [number for number, _ in found[0]["masks"]] == list(range(9))
    assert torch.tensor([mask for _, mask in found[0]["masks"]]).sum(0).tolist() == found[0]["hidden"]


def test_weights_of_every_family_are_shared_out_and_learn_as_alone(tmp_path):
    both = started_together(tmp_path / "step", 2, step)
    assert [ended(each) for each in both] == [0, 0]
    for rank in range(2):
        found = json.loads((tmp_path / f"step-{rank}.json").read_text())
        assert set(found) == set(PIXELS)
        for family, of in found.items():
            assert of["all"], family
            assert of["held"] == pytest.approx(0.5, abs=0.1), family  # one of three experts is here, or two
            assert of["norms"][0] > 0.1, family  # so it is clipped
            assert of["norms"][1] == pytest.approx(of["norms"][0], rel=1e-5), family
            assert of["apart"] < 1e-6, family


def test_one_process_has_nobody_to_share_with():
    with pytest.raises(UsageError, match=r"run\.sharding=full shares the weights out among processes"):
        Plan.of(recipe(sharding="full").run, 1)


@pytest.mark.parametrize("other", ["FSDP", "DEEPSPEED", "MEGATRON_LM"])
def test_other_ways_of_sharing_weights_are_refused(other, tmp_path, monkeypatch):
    monkeypatch.setenv(f"ACCELERATE_USE_{other}", "true")
    with pytest.raises(UsageError, match=f"Accelerate is set up for {other}, which is not used here"):
        train(job(recipe()), recipe(), RunFolder(tmp_path / "run"))


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # looked at by torch's compiler
def test_compiled_blocks_learn_as_plain_ones(monkeypatch):
    """By a backend that traces, forward and backward, and leaves out the minutes of C++."""
    compile_block = Block.compile
    monkeypatch.setattr(Block, "compile", lambda block: compile_block(block, backend="aot_eager"))
    plain, compiled = (job(recipe(dropout=0.0)).task.train() for _ in range(2))
    wrap_blocks(compiled, checkpointing=False, compiling=True)
    losses = [list(descent(task)) for task in (plain, compiled)]
    assert losses[0][-1] < 0.9 * losses[0][0]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


def descent(task):
    """Yield the losses of four steps of SGD on the same batch."""
    batch = prepare((Numbers(4)[i] for i in range(4)), 0)
    optimiser = torch.optim.SGD(task.parameters(), lr=0.1)
    for _ in range(4):
        loss = Objective(task)(batch)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        yield loss.item()


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


@pytest.mark.parametrize(
    ("batch", "micro", "ranks", "multiple"),
    [(2, None, 3, 3), (8, None, 3, 3), (12, "auto", 5, 5), (12, 4, 2, 8)],
)
def test_a_batch_that_cannot_be_shared_is_refused(batch, micro, ranks, multiple):
    told = f"run.batch_size={batch} cannot be shared by {ranks} processes.*choose a multiple of {multiple}$"
    with pytest.raises(UsageError, match=told):
        Plan.of(Run(batch_size=batch, micro_batch=micro), ranks)

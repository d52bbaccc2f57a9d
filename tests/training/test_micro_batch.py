"""The micro-batch that fits into memory is found, keeps the effective batch, and is a fact of the run."""

import json
import mmap
from dataclasses import replace

import pytest
import torch

from swinkit.errors import EnvironmentProblem, UsageError
from swinkit.runs.folder import RunFolder
from swinkit.settings.run import Run
from swinkit.tasks.classification.model import Classifier
from swinkit.training import auto_batch
from swinkit.training.auto_batch import MemoryTrial, estimate_size, explain_full_memory, halvings, try_sizes
from swinkit.training.loop import train

from .jobs import job, recipe
from .states import assert_same, last_state

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
MIB = 2**20


def full_above(size, monkeypatch):
    """No more samples than `size` at a time fit, as an accelerator says it."""
    losses = Classifier.losses

    def limited(self, batch):
        if len(batch.pixels) > size:
            raise torch.OutOfMemoryError("out of memory")
        return losses(self, batch)

    monkeypatch.setattr(Classifier, "losses", limited)


def trained(path, chosen, **options):
    """Return the last state of a run after training."""
    train(job(chosen), chosen, RunFolder(path), **options)
    return last_state(path)


@pytest.fixture
def as_on_an_accelerator(monkeypatch):
    """Sizes are tried from above."""
    monkeypatch.setattr(auto_batch, "largest_that_fits", try_sizes)


def test_what_is_tried_divides_the_batch_and_is_at_most_half_each_time():
    assert list(halvings(12)) == [12, 6, 3, 1]
    assert list(halvings(100)) == [100, 50, 25, 10, 5, 2, 1]
    assert list(halvings(7)) == [7, 1]


def test_the_first_size_that_does_not_fill_the_memory_is_taken():
    sizes = []

    def trial(size):
        sizes.append(size)
        if size > 20:
            raise torch.OutOfMemoryError

    assert try_sizes(trial, 64, CPU) == 16
    assert sizes == [64, 32, 16]


@pytest.mark.parametrize(
    "said",
    [
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
    ],
)
def test_memory_that_a_library_does_not_get_is_full_too(said):
    def trial(size):
        if size > 2:
            raise RuntimeError(said)

    assert try_sizes(trial, 8, CPU) == 2
    with pytest.raises(EnvironmentProblem, match="the memory of cpu is full"), explain_full_memory(CPU):
        trial(8)


def test_if_one_sample_fills_it_that_is_an_error(monkeypatch):
    full_above(0, monkeypatch)
    with pytest.raises(EnvironmentProblem, match=r"not even one sample .* try run\.checkpointing=true"):
        try_sizes(MemoryTrial(job(recipe()), recipe(), CPU), 4, CPU)


def test_other_errors_of_a_trial_are_not_taken_for_a_full_memory():
    def trial(size):
        raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        try_sizes(trial, 64, CPU)


def test_a_trial_leaves_nothing_behind():
    chosen = recipe(checkpointing=True)
    made = job(chosen)
    before = {name: value.clone() for name, value in made.task.state_dict().items()}
    numbers = torch.get_rng_state()
    MemoryTrial(made, chosen, CPU, copies=2)(4)
    assert_same(dict(made.task.state_dict()), before)
    assert torch.equal(torch.get_rng_state(), numbers)
    assert all(parameter.grad is None for parameter in made.task.parameters())
    assert not any("forward" in vars(part) or part._forward_pre_hooks for part in made.task.modules())
    assert made.task.training


@pytest.mark.parametrize(("limit", "found"), [(4, 4), (3, 2), (1, 1)])
def test_a_run_takes_what_fits_and_computes_what_that_number_does(
    limit, found, tmp_path, monkeypatch, as_on_an_accelerator
):
    full_above(limit, monkeypatch)
    automatic = trained(tmp_path / "auto", recipe(1, micro_batch="auto"))
    assert json.loads((tmp_path / "auto" / "config.json").read_text())["found"] == {"micro_batch": found}
    log = [json.loads(line) for line in (tmp_path / "auto" / "log.jsonl").read_text().splitlines()]
    assert log[0] == {"event": "fitted", "updates": 0, "micro_batch": found}
    assert_same(automatic, trained(tmp_path / "given", recipe(1, micro_batch=found)))


def test_on_the_cpu_a_run_finds_it_in_the_memory_that_is_free(tmp_path):
    """Nothing is replaced: a few tiny pictures fit at once."""
    automatic = trained(tmp_path / "auto", recipe(1, micro_batch="auto"))
    assert json.loads((tmp_path / "auto" / "config.json").read_text())["found"] == {"micro_batch": 4}
    assert_same(automatic, trained(tmp_path / "given", recipe(1)))


def test_a_resumed_run_stays_with_what_was_found(tmp_path, monkeypatch, as_on_an_accelerator):
    whole = trained(tmp_path / "whole", recipe(2, micro_batch=2))
    chosen = recipe(2, micro_batch="auto")
    with monkeypatch.context() as patch:
        full_above(2, patch)
        patch.setattr("swinkit.training.loop.observe_over_ranks", stopped)
        with pytest.raises(SystemExit):
            trained(tmp_path / "run", chosen)
    assert_same(trained(tmp_path / "run", chosen), whole)  # by now, four would fit


def stopped(*_):
    """As a signal does it."""
    raise SystemExit(143)


def test_what_was_found_is_no_change_of_the_configuration(tmp_path, as_on_an_accelerator):
    chosen = recipe(1, micro_batch="auto")
    folder = RunFolder(tmp_path)
    train(job(chosen), chosen, folder)
    assert folder.begin(job(chosen).config) == []
    assert folder.found("micro_batch") == 4
    folder.end()
    with pytest.raises(UsageError, match=r'run\.micro_batch was "auto", now 4'):
        folder.begin(job(recipe(1, micro_batch=4)).config)


@pytest.mark.parametrize(
    ("free", "found"), [(10_000 * MIB, 128), (1_000 * MIB, 64), (300 * MIB, 32), (200 * MIB, 16), (0, 16)]
)
def test_on_the_cpu_what_a_few_samples_take_tells_how_many_fit(free, found, monkeypatch):
    """A sample takes 10 MiB beside 300: between 8 and 16 the difference cannot be overlooked."""
    sizes = []
    monkeypatch.setattr(auto_batch, "peak", lambda work: (work(), 300 + 10 * sizes[-1])[1] * MIB)
    monkeypatch.setattr(auto_batch, "available", lambda: free)
    monkeypatch.setattr(auto_batch, "resident_size", lambda _: 380 * MIB)
    assert estimate_size(sizes.append, 128) == found
    assert sizes == [1, 2, 4, 8, 16]


def test_processes_on_one_machine_share_its_memory(monkeypatch):
    sizes = []
    monkeypatch.setattr(auto_batch, "peak", lambda work: (work(), 300 + 10 * sizes[-1])[1] * MIB)
    monkeypatch.setattr(auto_batch, "available", lambda: 1_000 * MIB)
    monkeypatch.setattr(auto_batch, "resident_size", lambda _: 380 * MIB)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert estimate_size(sizes.append, 128) == 16


def test_what_takes_no_memory_that_shows_is_taken_whole(monkeypatch):
    sizes = []
    monkeypatch.setattr(auto_batch, "available", lambda: 1_000 * MIB)
    assert estimate_size(sizes.append, 12) == 12
    assert sizes == [1, 2, 4, 8, 12]


def test_the_highest_use_of_memory_is_that_of_the_work_alone():
    kept = auto_batch.resident_size("VmRSS")

    def work():
        fresh = mmap.mmap(-1, 200 * MIB)  # the allocator could give what it has kept of other tests
        torch.frombuffer(fresh, dtype=torch.uint8).fill_(1)

    first = auto_batch.peak(work)
    assert 190 * MIB < first - kept < 400 * MIB
    assert auto_batch.peak(lambda: None) < first - 150 * MIB


def test_a_system_that_does_not_tell_is_an_error(monkeypatch):
    def forbidden(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.write_text", forbidden)
    with pytest.raises(EnvironmentProblem, match=r"run\.micro_batch=auto cannot see .* give a number"):
        auto_batch.peak(lambda: None)


@pytest.mark.parametrize("version", ["", "memory"])
def test_the_tightest_group_around_a_process_counts(version, tmp_path, monkeypatch):
    group = tmp_path / version / "outer" / "inner"
    group.mkdir(parents=True)
    limit, used = auto_batch.LIMITS[version]
    for place, most in ((group, "max"), (group.parent, "5000")):
        (place / limit).write_text(most)
        (place / used).write_text("2000")
    (tmp_path / "cgroup").write_text(f"4:{version}:/outer/inner\n3:cpuset:/\n")
    real = auto_batch.Path
    places = {"/sys/fs/cgroup": tmp_path, "/proc/self/cgroup": tmp_path / "cgroup"}
    monkeypatch.setattr(auto_batch, "Path", lambda path: places.get(path, real(path)))
    assert list(auto_batch.left_in_groups()) == [3000]
    assert auto_batch.available() == 3000


def test_a_full_memory_in_training_is_one_line(tmp_path, monkeypatch):
    full_above(2, monkeypatch)
    with pytest.raises(EnvironmentProblem, match=r"the memory of cpu is full; try run\.micro_batch=auto"):
        trained(tmp_path, recipe())
    with explain_full_memory(CPU), pytest.raises(ZeroDivisionError):
        _ = 1 / 0


def test_what_is_shared_out_cannot_be_tried():
    with pytest.raises(UsageError, match=r"run\.micro_batch is 'auto'; it must be a number where"):
        Run(micro_batch="auto", sharding="full")
    with pytest.raises(UsageError, match=r"run\.micro_batch is 'much'; it must be a whole number or auto or"):
        replace(Run(), micro_batch="much")

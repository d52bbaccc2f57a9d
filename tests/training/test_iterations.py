"""A training counted in iterations: evaluated inside epochs, resumed to the bit, equal to one in epochs."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swinkit.errors import UsageError
from swinkit.runs.folder import METRICS, RunFolder
from swinkit.runs.plots import results_of
from swinkit.runs.progress import Length, Progress
from swinkit.runs.step_report import Report
from swinkit.settings.schedule import Schedule, learning_rate
from swinkit.training.loop import train

from .jobs import job, recipe
from .states import assert_same, last_state

pytestmark = pytest.mark.slow

EPOCH = 6  # steps


def counted_in_iterations(iterations=15, every=4, warmup=0, **run):
    schedule = Schedule(iterations=iterations, warmup_iterations=warmup)
    return replace(recipe(evaluate_every=every, **run), schedule=schedule)


def evaluations(folder):
    return [
        each["updates"] for each in RunFolder(folder).events() if each["event"] in ("epoch", "evaluation")
    ]


@given(
    epochs=st.integers(1, 20),
    steps=st.integers(1, 30),
    warmup=st.integers(0, 19),
    share=st.none() | st.floats(0, 1),
    kind=st.sampled_from(["cosine", "linear", "step", "multistep", "poly", "constant"]),
    after_warmup=st.booleans(),
    by_epoch=st.booleans(),
    data=st.data(),
)
def test_both_units_give_the_same_rates(epochs, steps, warmup, share, kind, after_warmup, by_epoch, data):
    warmup = min(warmup, epochs - 1)
    drops = {"step": 1, "multistep": 2}.get(kind, 0)
    at = tuple(sorted(data.draw(st.integers(max(1, warmup), 20)) for _ in range(drops)))
    same = {"kind": kind, "warmup_share": share, "after_warmup": after_warmup, "by_epoch": by_epoch}
    ours = Schedule(
        iterations=epochs * steps,
        warmup_iterations=warmup * steps,
        at=tuple(each * steps for each in at),
        **same,
    )
    theirs = Schedule(epochs=epochs, warmup_epochs=warmup, at=at, **same)
    mixed = replace(theirs, warmup_epochs=None, warmup_iterations=warmup * steps)
    for step in range(epochs * steps + 1):
        rate = learning_rate(step, steps, 0.5, theirs)
        assert learning_rate(step, steps, 0.5, ours) == learning_rate(step, steps, 0.5, mixed) == rate


@given(
    iterations=st.integers(1, 40),
    every=st.none() | st.integers(1, 9),
    steps=st.integers(1, 9),
    data=st.data(),
)
def test_every_iteration_is_done_once_and_evaluations_come_when_they_are_due(iterations, every, steps, data):
    length = Length(Schedule(iterations=iterations), steps, 1, every)
    progress, seen, due = Progress(), [], []
    while not length.is_over(progress):
        while not length.is_due_or_epoch_over(progress):
            seen.append((progress.epoch, progress.step))
            progress.count(1.0, 1.0, finite=True)
            progress = data.draw(st.just(progress) | st.just(Progress.of(vars(progress))))
        if length.is_due(progress):
            assert length.evaluations_left(progress) >= 1
            due.append(progress.updates)
            progress.finish_evaluation(0.5)
        if progress.step >= steps:
            progress.begin_epoch()
    assert seen == [divmod(i, steps) for i in range(iterations)]
    assert due == sorted({*range(every or steps, iterations + 1, every or steps), iterations})
    assert length.steps_left(progress) == 0


def test_upernets_schedule_can_be_said():
    schedule = Schedule(
        kind="poly", iterations=160_000, warmup_iterations=1500, warmup_share=1e-6, final_lr=0.0
    )
    length = Length(schedule, 1263, 16, 16_000)
    assert str(length) == "160000 iterations, 1263 in an epoch"
    assert length.epochs == 127
    assert learning_rate(160_000, 1263, 6e-5, schedule) == 0


def test_it_is_evaluated_inside_of_epochs_and_at_its_end(tmp_path):
    said, chosen = [], counted_in_iterations()
    progress = train(job(chosen), chosen, RunFolder(tmp_path), reporting=said.append)
    assert evaluations(tmp_path) == [4, 8, 12, 15]
    assert (progress.epoch, progress.step, progress.updates) == (2, 3, 15)
    assert progress.ended == "all iterations are done"
    assert (tmp_path / METRICS).read_text().startswith("updates,iteration,skipped,bad,loss")
    lines = [each for each in said if isinstance(each, str)]
    assert lines[0] == "numbers: 15 iterations, 6 in an epoch"
    assert [line.split("  ")[0] for line in lines if "top1" in line] == [
        f"iteration {done} of 15" for done in (4, 8, 12, 15)
    ]
    reports = [each for each in said if isinstance(each, Report)]
    assert [(each.epoch, each.epochs, each.step) for each in reports[5:7]] == [(1, 3, 6), (2, 3, 1)]
    assert results_of(RunFolder(tmp_path).events(), "iterations").size[0] > 1000
    again = train(job(chosen), chosen, RunFolder(tmp_path), reporting=said.append)
    assert (again.updates, evaluations(tmp_path)) == (15, [4, 8, 12, 15])


@pytest.mark.parametrize("at", [3, 4, 6, 7, 12, 15])
def test_it_is_resumed_to_the_bit_inside_of_epochs(at, tmp_path):
    chosen, steps = counted_in_iterations(), []

    def stop(said):
        if isinstance(said, Report):
            steps.append(said)
            if len(steps) == at:
                raise InterruptedError

    with pytest.raises(InterruptedError):
        train(job(chosen), chosen, RunFolder(tmp_path / "run"), reporting=stop)
    train(job(chosen), chosen, RunFolder(tmp_path / "run"))
    train(job(chosen), chosen, RunFolder(tmp_path / "whole"))
    assert_same(last_state(tmp_path / "run"), last_state(tmp_path / "whole"))
    assert evaluations(tmp_path / "run") == [4, 8, 12, 15]


def test_epochs_and_as_many_iterations_learn_the_same(tmp_path):
    train(job(recipe(2)), recipe(2), RunFolder(tmp_path / "epochs"))
    other = counted_in_iterations(12, None)
    train(job(other), other, RunFolder(tmp_path / "iterations"))
    ours, theirs = (last_state(tmp_path / unit) for unit in ("epochs", "iterations"))
    ended = [each["progress"].pop("ended") for each in (ours, theirs)]
    assert ended == ["all epochs are done", "all iterations are done"]
    assert_same(ours, theirs)
    assert evaluations(tmp_path / "epochs") == evaluations(tmp_path / "iterations") == [6, 12]


def test_epochs_are_evaluated_every_so_many_and_at_the_end(tmp_path):
    chosen = recipe(3, evaluate_every=2)
    train(job(chosen), chosen, RunFolder(tmp_path))
    assert evaluations(tmp_path) == [12, 18]


def test_no_time_left_ends_it_where_it_is_and_more_time_goes_on_from_there(tmp_path):
    chosen = counted_in_iterations(hours=1e-9)
    progress = train(job(chosen), chosen, RunFolder(tmp_path))
    assert (progress.updates, evaluations(tmp_path)) == (1, [1])
    assert progress.ended == "the 1e-09 hours are over"
    longer = counted_in_iterations()
    train(job(longer), longer, RunFolder(tmp_path), allow_changes=True)
    assert evaluations(tmp_path) == [1, 4, 8, 12, 15]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "schedule.epochs is None; it must be 1 or more, or schedule.iterations given instead"),
        (
            {"epochs": 3, "iterations": 9},
            "schedule.iterations is 9; it must be null where schedule.ep",
        ),
        ({"iterations": 0}, "schedule.iterations is 0; it must be 1 or more"),
        (
            {"iterations": 9, "warmup_iterations": 9},
            "warmup_iterations is 9.*below schedule.iterations",
        ),
        (
            {"epochs": 9, "warmup_epochs": 1, "warmup_iterations": 9},
            "schedule.warmup_iterations is 9; it must be null where schedule.warmup_epochs is given",
        ),
        ({"iterations": 9, "kind": "multistep"}, "one or more iterations for multistep"),
    ],
)
def test_units_that_contradict_each_other_are_refused(fields, message):
    with pytest.raises(UsageError, match=message):
        Schedule(**fields)


def test_a_warm_up_in_the_other_unit_must_fit_before_anything_is_written(tmp_path):
    chosen = replace(recipe(2), schedule=Schedule(epochs=2, warmup_iterations=12))
    with pytest.raises(UsageError, match=r"warmup_iterations is '12 steps'; it must be below the 12"):
        train(job(chosen), chosen, RunFolder(tmp_path / "run"))
    assert not (tmp_path / "run").exists()

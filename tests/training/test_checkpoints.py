"""What a checkpoint gives back: all that was learned, to whatever recipe goes on; or nothing, if damaged."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from swinkit.errors import DataError
from swinkit.files import atomic
from swinkit.models.build import build
from swinkit.runs.checkpoints import Checkpoints, verify
from swinkit.runs.progress import Length, Progress
from swinkit.settings.recipe import Recipe
from swinkit.tasks.classification.model import Classifier
from swinkit.training.param_groups import optimiser_of
from swinkit.training.state import Trained
from swinkit.training.stopping import why_over
from tests.models.small import spec

from .jobs import CLASSES, job, recipe, run_job
from .processes import ended, started_together
from .states import assert_same, read_state, rewritten, set_back
from .test_loop import events, trained

pytestmark = pytest.mark.processes


def having(chosen, **optimiser):
    """Return a recipe with these settings of the optimiser."""
    return replace(chosen, optimiser=replace(chosen.optimiser, **optimiser))


def config(run):
    """Return the run's recorded configuration."""
    return (run / "config.json").read_text()


def moments(run):
    """Return the optimiser's state, by the names of the parameters."""
    optimiser = read_state(run)["optimizer"]
    return {optimiser["names"][number]: each for number, each in optimiser["state"].items()}


def flip(path):
    """Change one bit in the middle of a file, and so not its size."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_changed_settings_of_the_optimiser_are_in_force(kind, tmp_path):
    first = having(recipe(1), kind=kind)
    trained(tmp_path, first)
    changed = having(replace(first, schedule=recipe(2).schedule), weight_decay=0.25, betas=(0.5, 0.6))
    trained(tmp_path, changed, allow_changes=True)
    groups = read_state(tmp_path)["optimizer"]["param_groups"]
    assert {group["weight_decay"] for group in groups} == {0.0, 0.25}
    assert all(tuple(group["betas"]) == (0.5, 0.6) for group in groups)
    assert all(each["step"] == 12 for each in moments(tmp_path).values())


@pytest.mark.parametrize("settings", [{"layer_decay": 0.8}, {"rule": "openmmlab"}])
def test_moments_go_to_the_parameters_of_their_names_however_these_are_grouped(settings, tmp_path):
    chosen = recipe(1)
    trained(tmp_path, chosen)
    before, groups = moments(tmp_path), read_state(tmp_path)["optimizer"]["param_groups"]
    task = job(chosen).task
    optimiser = optimiser_of(task, having(chosen, **settings).optimiser)
    sizes = [[len(group["params"]) for group in each] for each in (groups, optimiser.param_groups)]
    assert sizes[0] != sizes[1]
    Trained(task, optimiser, None, None).resume(Checkpoints(tmp_path / "checkpoints"))
    assert len(optimiser.state) == len(before)
    for name, parameter in task.named_parameters():
        assert_same(optimiser.state[parameter], before[name])


@pytest.mark.parametrize("kinds", [("adamw", "muon"), ("muon", "adamw")])
def test_moments_of_another_kind_of_optimiser_are_begun_anew(kinds, tmp_path):
    first, second = (having(recipe(epochs), kind=kind) for epochs, kind in enumerate(kinds, 1))
    trained(tmp_path, first)
    trained(tmp_path, second, allow_changes=True)
    steps = {name: int(each["step"]) for name, each in moments(tmp_path).items()}
    assert set(steps.values()) == {6, 12}
    assert steps["head.classifier.weight"] == 12  # AdamW's in both


def test_a_checkpoint_without_names_is_taken_by_the_same_groups_alone(tmp_path):
    trained(tmp_path, recipe(1))
    before = moments(tmp_path)
    rewritten(tmp_path, lambda saved: saved["optimizer"].pop("names"))
    task = job(recipe(1)).task
    same, other = (
        Trained(task, optimiser_of(task, each.optimiser), None, None)
        for each in (recipe(1), having(recipe(1), layer_decay=0.8))
    )
    same.resume(Checkpoints(tmp_path / "checkpoints"))
    for name, parameter in task.named_parameters():
        assert torch.equal(same.optimiser.state[parameter]["exp_avg"], before[name]["exp_avg"])
    with pytest.raises(DataError, match="the checkpoint is of another model"):
        other.resume(Checkpoints(tmp_path / "checkpoints"))


def test_a_refused_checkpoint_leaves_the_run_as_it_was(tmp_path):
    trained(tmp_path, recipe(1))
    before = config(tmp_path)
    made = job(recipe(2))
    wider = Classifier(build(spec(embed_dim=16)), CLASSES, made.task.preprocess)
    with pytest.raises(DataError, match="the checkpoint is of another model"):
        trained(tmp_path, recipe(2), replace(made, task=wider), allow_changes=True)
    assert config(tmp_path) == before
    trained(tmp_path, recipe(1))


def test_an_accepted_change_is_recorded(tmp_path):
    trained(tmp_path, recipe(1))
    trained(tmp_path, having(recipe(2), layer_decay=0.8), allow_changes=True)
    now = json.loads(config(tmp_path))["recipe"]
    assert (now["schedule"]["epochs"], now["optimiser"]["layer_decay"]) == (2, 0.8)
    assert json.loads((tmp_path / "env.json").read_text())["threads"] == torch.get_num_threads()


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ({"epochs": 1}, {"epochs": 3}),
        ({"epochs": 3, "hours": 1e-9}, {"epochs": 3}),
        ({"epochs": 3, "patience": 1}, {"epochs": 3, "patience": 9}),
    ],
)
def test_a_finished_run_goes_on_when_it_may_take_longer(first, then, tmp_path, monkeypatch):
    monkeypatch.setattr(Classifier, "scores", lambda self, observed: {"top1": 0.5})
    trained(tmp_path, recipe(**first))
    assert read_state(tmp_path)["progress"]["epoch"] < 3
    trained(tmp_path, recipe(**then), allow_changes=True)
    assert read_state(tmp_path)["progress"]["epoch"] == 3
    assert events(tmp_path)[-1]["why"] == "all epochs are done"


def test_an_epoch_that_has_begun_is_brought_to_its_end():
    late = Progress(epoch=1, step=3, updates=9, seconds=3600.0, since_best=4)

    def why(chosen: Recipe) -> str:
        return why_over(late, Length.of(chosen, 6), chosen.run)

    assert why(recipe(2, hours=0.5, patience=2)) == ""
    late = Progress.of({"epoch": 1, "updates": 9, "seconds": 3600.0, "since_best": 4})  # an earlier version's
    assert why(recipe(2, hours=0.5, patience=2)) == "4 epochs brought no better score"
    assert why(recipe(2, hours=0.5, patience=2, evaluate_every=2)) == "4 evaluations brought no better score"
    assert why(recipe(2, hours=0.5)) == "the 0.5 hours are over"
    assert why(recipe(1)) == "all epochs are done"
    assert why(recipe(2)) == ""


def test_a_score_that_is_no_number_is_never_the_best():
    progress, nan = Progress(), float("nan")
    scores = [nan, float("inf"), 0.25, nan, 0.125, 0.5]
    better = [progress.finish_evaluation(score) for score in scores]
    assert better == [False, False, True, False, False, True]
    assert (progress.best, progress.since_best) == (0.5, 0)
    assert Progress(best=nan).finish_evaluation(-5.0)


def test_a_checkpoint_that_is_not_written_well_does_not_cost_the_one_before(tmp_path, monkeypatch):
    kept, sync = Checkpoints(tmp_path), atomic.sync
    kept.save({"model": torch.arange(99)}, Progress(updates=1, step=1))
    (old,) = tmp_path.glob("epoch-*")
    new = tmp_path / Progress(step=2).name()

    def damaging(path):
        sync(path)
        if path == tmp_path:  # it has taken its name
            flip(new / "state.pt")

    with monkeypatch.context() as patch:
        patch.setattr(atomic, "sync", damaging)
        with pytest.raises(DataError, match=r"state\.pt is not as it was written"):
            kept.save({"model": torch.arange(99)}, Progress(updates=2, step=2))
    verify(old)
    found = kept.newest()
    assert found is not None
    assert found[1].updates == 1
    kept.save({"model": torch.arange(99)}, Progress(updates=2, step=2))
    assert list(kept) == [new]
    verify(new)


def test_one_other_bit_is_noticed(tmp_path):
    Checkpoints(tmp_path).save({"model": torch.arange(99)}, Progress())
    (checkpoint,) = tmp_path.iterdir()
    verify(checkpoint)
    flip(checkpoint / "state.pt")
    with pytest.raises(DataError, match=r"state\.pt is not as it was written"):
        verify(checkpoint)


def elsewhere(path, *, environment, **options):
    """Train; the second process sees another folder by this name than the first."""
    run_job(path + "-other" * int(environment["RANK"]), environment=environment, **options)


def test_processes_that_see_other_checkpoints_are_refused(tmp_path):
    run = tmp_path / "run"
    trained(run, recipe(1, micro_batch=1))
    set_back(run, epoch=0, step=2, updates=2, ended="")
    both = started_together(run, 2, elsewhere, epochs=1, micro_batch=1)
    assert [ended(each) for each in both] == [2, 2]
    (said,) = (tmp_path / "run.errors").read_text().splitlines()
    places = "process 0 goes on from epoch-0000-step-00000002, and process 1 from epoch-0000-step-00000000"
    assert places in said


def twice(path, *, environment):
    """Train, and in the same process train again."""
    for name in ("first", "second"):
        run_job(str(Path(path) / name), epochs=1, micro_batch=1, environment=environment)


def test_processes_that_have_trained_can_train_again(tmp_path):
    both = started_together(tmp_path, 2, twice)
    assert [ended(each) for each in both] == [0, 0]
    assert read_state(tmp_path / "first")["progress"]["epoch"] == 1
    assert read_state(tmp_path / "second")["progress"]["epoch"] == 1

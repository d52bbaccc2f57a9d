"""`best/`: the evaluation with the highest score; of equal scores the lower loss, then the later."""

import json
import math
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

import swinkit
from swinkit.recipes.catalogue import find
from swinkit.runs.plots import best_of
from swinkit.runs.progress import Progress
from swinkit.settings.data import CroppedData
from swinkit.settings.recipe import Recipe
from swinkit.settings.run import Run
from swinkit.settings.schedule import Schedule
from swinkit.tasks.classification.model import Classifier
from swinkit.tasks.registry import TASKS
from swinkit.tasks.simmim.settings import Masking
from swinkit.training.job import job_of
from tests.data.pictures import of_two_greys
from tests.tasks.made_up.data import write_data
from tests.tasks.made_up.run import RECIPE
from tests.tasks.made_up.task_type import BoxType
from tests.tasks.test_values import label_of, write_lists

pytestmark = pytest.mark.slow

VALUES = st.sampled_from([0.0, 0.25, 0.5, 1.0, math.nan, math.inf])


def test_a_perfect_score_of_a_hardly_trained_model_is_replaced():
    progress = Progress()
    best = [progress.finish_evaluation(1.0, loss) for loss in (0.69, 0.1, 0.3, 0.1, math.nan)]
    assert best == [True, True, False, True, False]
    assert (progress.best, progress.best_loss) == (1.0, 0.1)
    assert progress.since_best == 4  # none of them had a higher score, so that `run.patience` counts them


def test_a_run_of_an_older_version_goes_on_without_the_loss_of_its_best():
    progress = Progress.of({"best": 0.5, "updates": 6, "since_best": 2})
    assert progress.finish_evaluation(0.5, 2.0)
    assert not progress.finish_evaluation(0.5, 3.0)


@given(st.lists(st.tuples(VALUES, VALUES), min_size=1), st.booleans())
def test_the_best_is_the_last_of_those_that_none_beats_also_in_the_curves(
    found: list[tuple[float, float]], lower_is_better: bool
):
    progress = Progress()
    better = [progress.finish_evaluation(*each, lower_is_better=lower_is_better) for each in found]
    best = [i for i, is_better in enumerate(better) if is_better]
    keys = [
        (-score if lower_is_better else score, -loss if math.isfinite(loss) else -math.inf, i)
        for i, (score, loss) in enumerate(found)
        if math.isfinite(score)
    ]
    assert best[-1:] == [place for *_, place in sorted(keys)[-1:]]
    scores, losses = (list(enumerate(values)) for values in zip(*found, strict=True))
    drawn = best_of(scores, losses, lower_is_better=lower_is_better)
    assert drawn == ((best[-1], found[best[-1]][0]) if best else None)


def short(recipe: Recipe) -> Recipe:
    """Four evaluations, of a step each."""
    schedule = Schedule(iterations=4, warmup_iterations=0)
    return replace(recipe, schedule=schedule, run=Run(batch_size=4, evaluate_every=1))


def classification(folder: Path) -> tuple[Recipe, Path]:
    return short(find("cifar10-swin-pico")), of_two_greys(folder)


def simmim(folder: Path) -> tuple[Recipe, Path]:
    recipe = find("simmim-swin-b-w6-192-100ep")
    grey = CroppedData(size=(32, 32), mean=recipe.data.mean, std=recipe.data.std)
    masking = Masking(patch=4)
    return short(replace(recipe, variant="swin-pico", data=grey, masking=masking)), of_two_greys(folder)


def made_up(folder: Path) -> tuple[Recipe, Path]:
    return short(RECIPE), write_data(folder)


def multi_label(folder: Path) -> tuple[Recipe, Path]:
    rows = {split: [(label_of(i),) for i in range(8)] for split in ("train", "val")}
    return short(find("finetune-multi-label-swin-pico")), write_lists(folder, rows, "label")


def regression(folder: Path) -> tuple[Recipe, Path]:
    rows = {split: [(str(i % 2),) for i in range(8)] for split in ("train", "val")}
    return short(find("finetune-regression-swin-pico")), write_lists(folder, rows, "light")


JOBS = {
    "classification": classification,
    "simmim": simmim,
    "multi-label": multi_label,
    "regression": regression,
    "made-up": made_up,
}


@pytest.mark.parametrize("task", JOBS)
def test_every_task_keeps_the_lower_loss_of_equal_scores_then_the_later(task: str, tmp_path: Path):
    with patch.dict(TASKS, {"made-up": BoxType}):
        assert TASKS.keys() == JOBS.keys()
        recipe, data = JOBS[task](tmp_path / "data")
        model = type(job_of(recipe, data).task)
        losses = iter([0.9, 0.2, 0.4, 0.2])
        true = model.scores

        def scores(self: object, observed: object) -> dict[str, float]:
            own = true(self, observed)  # pyright: ignore[reportArgumentType]
            assert self.ranked_loss in own  # pyright: ignore[reportAttributeAccessIssue]
            first = next(iter(own))
            return {**own, first: 1.0, self.ranked_loss: next(losses)}  # pyright: ignore[reportAttributeAccessIssue]

        weights = []

        def note(said: object) -> None:
            path = tmp_path / "run" / "best" / "model.safetensors"
            weights.append(path.read_bytes() if path.exists() else b"")

        with patch.object(model, "scores", scores):
            swinkit.train(recipe, data, tmp_path / "run", reporting=note)
        best, last = (
            (tmp_path / "run" / name / "model.safetensors").read_bytes() for name in ("best", "last")
        )
        assert next(losses, None) is None
        assert best == last
        assert len({*weights, best}) == 4  # none at first; the third evaluation changed nothing


def test_a_task_may_rank_by_a_score_of_which_less_is_better(tmp_path: Path):
    recipe, data = classification(tmp_path / "data")
    recipe = replace(recipe, run=replace(recipe.run, patience=1))
    errors = iter([0.5, 0.2, 0.4, 0.1])

    def scores(*_: object) -> dict[str, float]:
        return {"error": next(errors), "top1": 1.0}

    with patch.multiple(Classifier, scores=scores, lower_is_better=True):
        swinkit.train(recipe, data, tmp_path / "run")
    assert json.loads((tmp_path / "run" / "best" / "metrics.json").read_text())["error"] == 0.2
    assert list(errors) == [0.1]  # one evaluation without a better score was the last

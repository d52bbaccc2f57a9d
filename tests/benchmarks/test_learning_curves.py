"""The control is fair: timm's model has the shape of ours, learns by the same rules, and begins alike."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from timm.layers import DropPath as TheirDropPath
from torch import Tensor, nn

from benchmarks.learning_curves import PAIRS, RECIPE, THEIRS, job_for, main, page, shorten
from swinkit.core.block import DropPath
from swinkit.recipes.catalogue import find
from swinkit.runs.folder import RunFolder
from swinkit.runs.step_report import Report
from swinkit.settings.recipe import Recipe
from swinkit.training.loop import train
from swinkit.training.param_groups import parameter_groups
from swinkit.weights.load import export_weights

pytestmark = pytest.mark.slow

LARGE = 1000  # elements, of which the spread is known within a few percent


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of noise, dark and light: a batch and a little more to train with."""
    root = tmp_path_factory.mktemp("pictures")
    generator = torch.Generator().manual_seed(0)
    for split, count in (("train", 66), ("test", 4)):
        for name, lowest in (("dark", 0), ("light", 120)):
            (root / split / name).mkdir(parents=True)
            for i in range(count):
                pixels = torch.randint(lowest, lowest + 130, (32, 32, 3), generator=generator)
                Image.fromarray(pixels.byte().numpy()).save(root / split / name / f"{i:02}.png")
    return root


def recipe_of(name: str, **run: object) -> Recipe:
    recipe = shorten(find(RECIPE.format(name)), 1)
    return replace(recipe, run=replace(recipe.run, **run))


def both(name: str, recipe: Recipe, data: Path, *, same_start: bool = False) -> list[nn.Module]:
    return [job_for(each, recipe, data, same_start=same_start).task for each in (name, THEIRS + name)]


def decayed(model: nn.Module, recipe: Recipe) -> Counter[tuple[float, int]]:
    """How many tensors of each size have each decay."""
    groups = parameter_groups(model, recipe.optimiser)
    return Counter((group["weight_decay"], p.numel()) for group in groups for p in group["params"])


@pytest.mark.parametrize("name", PAIRS)
def test_as_many_parameters_decay_as_ours(pictures: Path, name: str) -> None:
    recipe = recipe_of(name)
    own, other = (decayed(model, recipe) for model in both(name, recipe, pictures))
    assert own == other
    assert {decay for decay, _ in own} == {0.0, recipe.optimiser.weight_decay}


@pytest.mark.parametrize("name", PAIRS)
def test_branches_are_dropped_as_often_as_ours(pictures: Path, name: str) -> None:
    own, other = both(name, replace(recipe_of(name), drop_path=0.2), pictures)
    rates = [part.rate for part in own.modules() if isinstance(part, DropPath) and part.rate]
    theirs = [part.drop_prob for part in other.modules() if isinstance(part, TheirDropPath)]
    # Both branches of a block share our one; timm's has one for each.
    assert [rate for rate in rates for _ in range(2)] == pytest.approx(theirs)


@pytest.mark.parametrize("name", PAIRS)
def test_each_library_draws_its_first_weights_from_the_same_distributions(pictures: Path, name: str) -> None:
    own, other = both(name, recipe_of(name), pictures)
    ours, theirs = export_weights(own, "timm"), dict(other.backbone.model.named_parameters())
    assert all(alike(ours[key], value) for key, value in theirs.items())
    assert any(not torch.equal(ours[key], value) for key, value in theirs.items())


def alike(one: Tensor, other: Tensor) -> bool:
    """Constants are equal, spreads nearly."""
    if one.unique().numel() == 1:
        return torch.equal(one, other)
    close = 0.1 if one.numel() > LARGE else 0.6
    return abs(one.std() / other.std() - 1) < close


@pytest.mark.parametrize("name", PAIRS)
def test_from_the_same_weights_both_learn_the_same(pictures: Path, tmp_path: Path, name: str) -> None:
    recipe = replace(recipe_of(name, batch_size=16), drop_path=0.0)
    curves = []
    for each in (name, THEIRS + name):
        losses: list[float] = []

        def keep(said: Report | str, losses: list[float] = losses) -> None:
            losses.extend([said.loss] if isinstance(said, Report) else [])

        job = job_for(each, recipe, pictures, same_start=True)
        train(job, recipe, RunFolder(tmp_path / each), reporting=keep)
        curves.append(losses)
    assert len(curves[0]) == 8
    assert curves[0][-1] < curves[0][0]
    assert curves[0] == pytest.approx(curves[1], abs=1e-4)


def test_it_trains_both_and_goes_on_where_it_was_stopped(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(pictures), str(tmp_path / "out"), "--seeds=1", "--epochs=1"]
    assert main(words) == 0
    first = (tmp_path / "out" / "curves.md").read_text()
    assert "| swin-pico |" in first
    assert "swin-pico less timm-swin-pico: " in first
    capsys.readouterr()
    assert main(words) == 0
    assert capsys.readouterr().out.count("nothing is left to do") == 2
    assert (tmp_path / "out" / "curves.md").read_text() == first


def test_a_run_of_one_library_is_not_taken_for_one_of_the_other(pictures: Path, tmp_path: Path) -> None:
    own, other = (job_for(name, recipe_of("swin-pico"), pictures) for name in ("swin-pico", "timm-swin-pico"))
    assert own.config != other.config
    started = job_for("timm-swin-pico", recipe_of("swin-pico"), pictures, same_start=True)
    assert started.config != other.config


def test_the_page_tells_means_spreads_and_differences_by_seed() -> None:
    def runs(*last: float) -> list[list[dict[str, float]]]:
        return [[{"loss": 2.0, "top1": 0.1}, {"loss": 1.0, "top1": top1, "seconds": 900.0}] for top1 in last]

    shown = page({"swin-pico": runs(0.5, 0.7), "timm-swin-pico": runs(0.5, 0.6), "swinv2-pico": []})
    assert "| swin-pico | 60.00 | 14.14 | 50.00, 70.00 |" in shown
    assert "swin-pico less timm-swin-pico: +5.00 points, spread 7.07, in 2 seeds." in shown
    assert "| 2 | 60.00 | 55.00 |" in shown
    assert "1.00 hours of training in 4 runs" in shown
    assert "swinv2-pico" not in shown


def test_epochs_are_cut_by_one_factor() -> None:
    whole = find("cifar10-swin-pico")
    mixed = replace(whole.augmentation, cutmix=1.0, mixing_epochs=10)
    whole = replace(whole, augmentation=mixed)
    short = shorten(whole, whole.schedule.epochs // 2)
    assert short.schedule.warmup_epochs == whole.schedule.warmup_epochs / 2
    assert short.augmentation == replace(mixed, mixing_epochs=5)


def test_a_model_that_is_none_is_told_so(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["data", "out", "--models=swin-pico,resnet"])
    assert "'resnet' is none of swin-pico, timm-swin-pico, " in capsys.readouterr().err

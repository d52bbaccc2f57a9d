"""Learning curves of our Swin and of timm's: `python -m benchmarks.learning_curves cifar10.zip OUT`.

One loop trains both, by one recipe: the same pictures, changed alike and in the same order, the same rates,
the same parameters without weight decay. What differs is the code of the model, and the first weights, which
each library draws by itself, from the same distributions; with `--same-start` timm's begin as ours.

Every run goes on where it was stopped, also days later: the same command does it. The models take turns, seed
by seed, and after each run the page and the picture are made anew, so that what there is can be looked at any
time. Nothing is chosen by the held-out pictures: what counts is the last epoch.
"""

import argparse
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from benchmarks.peers.report import markdown_table
from benchmarks.seeds import Curve, hours, new_parser, row, run_command, run_in_turn, spread, train_to_end
from swinkit.core.spec import Spec
from swinkit.models.families import SpecV2
from swinkit.recipes.catalogue import find
from swinkit.settings.recipe import Recipe
from swinkit.tasks.classification.model import Classifier
from swinkit.tasks.classification.settings import ClassificationRecipe
from swinkit.training.job import Job, job_of
from swinkit.viz.figure import add_heading, render, rgb
from swinkit.viz.overlays import ACCENT, OTHER
from swinkit.weights.configs import timm_arguments
from swinkit.weights.load import export_weights

THEIRS = "timm-"
PAIRS = ("swin-pico", "swinv2-pico")
MODELS = tuple(name for ours in PAIRS for name in (ours, THEIRS + ours))
RECIPE = "cifar10-{}"
COLOURS = dict(zip(MODELS, (ACCENT, OTHER, (112, 200, 140), (214, 120, 190)), strict=True))
SHOWN = {"top1": "top-1 of the held-out pictures", "loss": "training loss"}

Curves = dict[str, list[Curve]]  # of each model: a curve for each seed that is done


def main(arguments: Sequence[str] | None = None) -> int:
    """Train all models, and write the page and the plot."""
    options = build_parser().parse_args(arguments)
    return run_command(partial(compare, options))


def compare(options: argparse.Namespace) -> str:
    """Train all models; return the page about all runs, which is written anew after each."""

    def run(name: str, seed: int) -> Curve:
        recipe = shorten(find(RECIPE.format(shape_of(name))), options.epochs)
        recipe = replace(recipe, run=replace(recipe.run, seed=seed, precision=options.precision))
        job = job_for(name, recipe, options.data, same_start=options.same_start)
        return train_to_end(job, recipe, options.out / f"{name}-{seed}")

    def tell(curves: Curves) -> None:
        (options.out / "curves.md").write_text(page(curves), encoding="utf-8")
        plot(curves).save(options.out / "curves.png")

    run_in_turn(options.seeds, options.models, run, tell)
    return (options.out / "curves.md").read_text(encoding="utf-8")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the options."""
    made = new_parser(__doc__)
    made.add_argument("--epochs", type=int, default=10, help="of each run")
    made.add_argument("--models", type=names, default=MODELS[:2], help=f"of {','.join(MODELS)}")
    made.add_argument("--same-start", action="store_true", help="timm's models begin with our weights")
    return made


def names(text: str) -> tuple[str, ...]:
    """Parse names of models that are separated by commas."""
    chosen = tuple(text.split(","))
    strange = [name for name in chosen if name not in MODELS]
    if strange:
        raise argparse.ArgumentTypeError(f"{strange[0]!r} is none of {', '.join(MODELS)}")
    return chosen


def shape_of(name: str) -> str:
    """Return the variant that a model is, or whose shape it has."""
    return name.removeprefix(THEIRS)


def shorten(recipe: Recipe, epochs: int) -> ClassificationRecipe:
    """Return the recipe with all counts of epochs cut by one factor."""
    assert isinstance(recipe, ClassificationRecipe)
    length, warmup = recipe.schedule.epochs, recipe.schedule.warmup_epochs
    assert length is not None
    assert warmup is not None
    share = epochs / length
    schedule = replace(recipe.schedule, epochs=epochs, warmup_epochs=share * warmup)
    mixing = recipe.augmentation.mixing_epochs
    mixing = None if mixing is None else max(1, round(share * mixing))
    return replace(recipe, schedule=schedule, augmentation=replace(recipe.augmentation, mixing_epochs=mixing))


# ---- The two libraries' models ---------------------------------------------------------------------------


class Control(nn.Module):
    """timm's model as a backbone: (B, 3, h, w) -> [(B, K) logits]."""

    def __init__(self, model: nn.Module, spec: Spec):
        super().__init__()
        self.model, self.spec = model, spec

    @property
    def embed(self) -> nn.Module:
        """The patch embedding."""
        return self.model.get_submodule("patch_embed")

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """Classify: (B, 3, h, w) -> [(B, K) logits]."""
        return [self.model(pixels)]


def job_for(name: str, recipe: Recipe, data: Path, *, same_start: bool = False) -> Job:
    """Return the job of one model; loss, metrics, pictures and their order are the same for all."""
    job = job_of(recipe, data)
    if not name.startswith(THEIRS):
        return job
    task = job.task
    assert isinstance(task, Classifier)
    model = build_timm(task, recipe, same_start=same_start)
    task.add_module("backbone", Control(model, task.backbone.spec))
    task.add_module("head", nn.Identity())
    return TimmJob(**vars(job), same_start=same_start)


@dataclass(frozen=True, kw_only=True)
class TimmJob(Job):
    """The job of a timm model, which is not saved."""

    same_start: bool

    @property
    def title(self) -> str:
        """The library, the variant and the data, in one line."""
        return f"timm's {super().title}"

    @property
    def config(self) -> dict[str, Any]:
        """The configuration that must be the same when a run is resumed."""
        return {**super().config, "library": "timm", "same start": self.same_start}

    def save(self, folder: Path, scores: dict[str, float]) -> None:
        """Write nothing."""


def build_timm(own: Classifier, recipe: Recipe, *, same_start: bool) -> nn.Module:
    """Build timm's model of the shape of ours, drawn from the same seed, or with the weights of ours."""
    from timm.models.swin_transformer import SwinTransformer
    from timm.models.swin_transformer_v2 import SwinTransformerV2

    spec = own.backbone.spec
    kind = SwinTransformerV2 if isinstance(spec, SpecV2) else SwinTransformer
    torch.manual_seed(recipe.run.seed)
    model = kind(**timm_arguments(spec, own.preprocess.crop, len(own.labels)))
    if same_start:
        model.load_state_dict(export_weights(own, "timm"), strict=True)
    assert parameters(model) == parameters(own)
    return model


def parameters(model: nn.Module) -> int:
    """Count the parameters of a model."""
    return sum(parameter.numel() for parameter in model.parameters())


# ---- What came of it -------------------------------------------------------------------------------------


def page(curves: Curves) -> str:
    """Return the page: the last epoch of every model, the difference of each pair, and all means."""
    done = {name: found for name, found in curves.items() if found}
    rows = [row(name, [curve[-1]["top1"] for curve in found]) for name, found in done.items()]
    parts = [
        markdown_table(("model", "top-1, mean", "spread", "of each seed"), rows),
        "Percent of the held-out pictures after the last epoch; the spread is the sample standard deviation.",
        *(difference(name, done) for name in PAIRS if {name, THEIRS + name} <= set(done)),
        markdown_table(("epoch", *done), epoch_rows(done)),
        "The means of top-1 over the seeds. " + hours(list(chain(*done.values()))),
    ]
    return "\n\n".join(parts) + "\n"


def difference(name: str, curves: Curves) -> str:
    """Return the difference of ours and timm's, seed by seed, of the seeds that both have done."""
    pairs = zip(curves[name], curves[THEIRS + name], strict=False)
    found = [100 * (one[-1]["top1"] - other[-1]["top1"]) for one, other in pairs]
    return (
        f"{name} less {THEIRS}{name}: {statistics.mean(found):+.2f} points, spread {spread(found)}, "
        f"in {len(found)} {'seed' if len(found) == 1 else 'seeds'}."
    )


def epoch_rows(curves: Curves) -> list[tuple[str, ...]]:
    """Return the mean of each model after each epoch."""
    epochs = max((len(curve) for found in curves.values() for curve in found), default=0)
    return [
        (
            str(i + 1),
            *(f"{100 * statistics.mean(c[i]['top1'] for c in found):.2f}" for found in curves.values()),
        )
        for i in range(epochs)
    ]


def plot(curves: Curves) -> Image.Image:
    """Draw the curves of all runs, faintly, and for each model the mean of its seeds."""
    series = {name: runs for name, runs in curves.items() if runs}

    def draw(figure: Any) -> None:
        add_heading(figure, "swinkit and timm, trained alike")
        for axes, (key, title) in zip(figure.subplots(1, len(SHOWN)), SHOWN.items(), strict=True):
            axes.set(title=title, xlabel="epochs")
            axes.locator_params(axis="x", integer=True)
            for name, runs in series.items():
                values = [[epoch[key] for epoch in run] for run in runs]
                for run in values:
                    axes.plot(range(1, len(run) + 1), run, color=rgb(COLOURS[name]), alpha=0.5, linewidth=1)
                mean = [statistics.mean(at) for at in zip(*values, strict=True)]
                label = f"{name}, {len(runs)} seed{'s' * (len(runs) != 1)}"
                marker = "o" if len(mean) == 1 else None
                places = range(1, len(mean) + 1)
                axes.plot(places, mean, color=rgb(COLOURS[name]), linewidth=3, marker=marker, label=label)
        if series:
            handles = figure.axes[0].get_legend_handles_labels()
            figure.legend(*handles, loc="outside lower center", ncols=len(series))

    return render(draw, 1260, 520)


if __name__ == "__main__":
    sys.exit(main())

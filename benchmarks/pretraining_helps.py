"""Gain of pre-training with few labels: `python -m benchmarks.pretraining_helps cifar10.zip OUT`.

swin-pico is pre-trained once on all training pictures, without labels. Then, for each of three seeds, 5 % of
the training pictures keep their labels, drawn anew, and a classifier is trained on these by one recipe, for
equally many steps: from scratch, and from the pre-trained backbone. Each way may choose between two learning
rates: both are tried with the first seed, and the better is kept. Another 500 training pictures are watched
to choose it, and the best epoch; by the test pictures nothing is chosen. (They are all that the pre-training
has to watch, without their labels; so what it learned last is taken, not what explained them best.)
Everything goes on where it was stopped, also days later: the same command does it.

What it costs, on two CPU cores with `--precision bf16`, at 350 pictures a second in training and 600 in
evaluation: 10 epochs of 50,000 and 10,000 pictures, 27 minutes; eight classifiers, 30 epochs of 2,500 and 500
each, 32 minutes; six times the test pictures, 2 minutes. About an hour; what it took is told in the end.
"""

import argparse
import json
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import torch
from PIL import Image

import swinkit
from benchmarks.peers.report import markdown_table
from benchmarks.seeds import Curve, hours, new_parser, row, run_command, run_in_turn, train_to_end
from swinkit.api import prepared
from swinkit.data.find_dataset import find_samples
from swinkit.recipes.catalogue import find, find_pretraining
from swinkit.runs.folder import BEST, LAST
from swinkit.settings.recipe import Recipe
from swinkit.tasks.classification.evaluation import ClassifierEvaluation
from swinkit.tasks.serialization import read_model
from swinkit.tasks.simmim.settings import SimMIMRecipe

SHARE = 0.05  # of the training pictures that keep their labels
WATCHED = 500  # training pictures that choose the rate and the best epoch
BASE = find("cifar10-swin-pico")
RATES = (2 * BASE.optimiser.lr, BASE.optimiser.lr)
CELL = 4  # pixels of a side that are hidden together: of 32, an eighth
SCRATCH, PRETRAINED = "from scratch", "pre-trained"


@dataclass
class Trial:
    """The learning rates of one way of beginning, and what each came to with the first seed."""

    watched: dict[float, float] = field(default_factory=dict)  # top-1 in the best epoch

    @property
    def next(self) -> Sequence[float]:
        """The rates to train with: all for the first seed, then the best."""
        return [max(self.watched, key=lambda rate: self.watched[rate])] if self.watched else RATES

    def __str__(self) -> str:
        """Return a cell of the table."""
        return ", ".join(f"{rate:g}: {100 * share:.2f}" for rate, share in self.watched.items())


def main(arguments: Sequence[str] | None = None) -> int:
    """Train all, and write a table."""
    options = build_parser().parse_args(arguments)
    return run_command(partial(compare, options))


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the options."""
    made = new_parser(__doc__)
    made.add_argument("--pretraining-epochs", type=int, default=10)
    made.add_argument("--epochs", type=int, default=30, help="of each classifier")
    made.add_argument("--batch-size", type=int, default=64, help="of each classifier")
    return made


def compare(options: argparse.Namespace) -> str:
    """Train all classifiers; return the table of both ways, which is written anew after each."""
    out: Path = options.out
    starts = {SCRATCH: None, PRETRAINED: out / "pretrained" / LAST}
    tried = {way: Trial() for way in starts}
    curves = [train(pretraining(options), options.data, out / "pretrained")]

    def run(way: str, seed: int) -> float:
        few = out / f"few-{seed}"
        keep_few_labels(options.data, few, seed)
        name = f"{way.replace(' ', '-')}-{{:g}}-{seed}"
        for rate in tried[way].next:
            recipe = finetuning(options, seed, starts[way], rate)
            curves.append(train(recipe, few, out / name.format(rate)))
            if seed == 0:
                tried[way].watched[rate] = max(epoch["top1"] for epoch in curves[-1])
        return top1(out / name.format(*tried[way].next), options.data)

    def tell(results: dict[str, list[float]]) -> None:
        (out / "results.md").write_text(page(results, tried, curves), encoding="utf-8")

    run_in_turn(options.seeds, list(starts), run, tell)
    return (out / "results.md").read_text(encoding="utf-8")


def train(recipe: Recipe, data: Path, folder: Path) -> Curve:
    """Train one run."""
    return train_to_end(prepared(recipe, data, folder), recipe, folder)


def top1(folder: Path, data: Path) -> float:
    """Return the accuracy of a run's best model on the test pictures, measured once."""
    told = folder.with_name(f"{folder.name}-test.json")
    if not told.exists():
        measured = swinkit.evaluate(read_model(folder / BEST), data, split="test")
        assert isinstance(measured, ClassifierEvaluation)
        unfinished = told.with_suffix(".partial")
        unfinished.write_text(json.dumps({"top1": measured.top1}), encoding="utf-8")
        unfinished.replace(told)
    return json.loads(told.read_text(encoding="utf-8"))["top1"]


def pretraining(options: argparse.Namespace) -> Recipe:
    """Return the recipe of `swinkit pretrain swin-pico` with smaller cells and the classifier's schedule."""
    recipe = find_pretraining(BASE.variant)
    assert isinstance(recipe, SimMIMRecipe)
    epochs, own = options.pretraining_epochs, BASE.optimiser
    return replace(
        recipe,
        data=replace(recipe.data, mean=BASE.data.mean, std=BASE.data.std),
        masking=replace(recipe.masking, patch=CELL),
        optimiser=replace(recipe.optimiser, kind=own.kind, lr=own.lr),
        schedule=replace(recipe.schedule, epochs=epochs, warmup_epochs=epochs / 10),
        run=replace(recipe.run, batch_size=BASE.run.batch_size, precision=options.precision),
    )


def finetuning(options: argparse.Namespace, seed: int, start: Path | None, rate: float) -> Recipe:
    """Return the recipe of a classifier, the same for both ways except for the initial weights."""
    epochs = options.epochs
    return replace(
        BASE,
        init=None if start is None else str(start),
        optimiser=replace(BASE.optimiser, lr=rate),
        schedule=replace(BASE.schedule, epochs=epochs, warmup_epochs=epochs / 10),
        run=replace(BASE.run, batch_size=options.batch_size, precision=options.precision, seed=seed),
    )


def keep_few_labels(data: Path, out: Path, seed: int) -> None:
    """Return a folder with `SHARE` of each class in train and others in val, made unless it exists."""
    if out.exists():
        return
    samples = find_samples(data, "train")
    labels = samples.labels
    assert labels is not None
    unfinished = out.with_name(f"{out.name}.partial")
    for label, name in enumerate(samples.classes):
        own = torch.nonzero(labels == label)[:, 0].tolist()
        random.Random(f"{seed} {name}").shuffle(own)
        kept, watched = max(1, round(SHARE * len(own))), max(1, WATCHED // len(samples.classes))
        for split, chosen in (("train", own[:kept]), ("val", own[kept : kept + watched])):
            folder = unfinished / split / name
            folder.mkdir(parents=True, exist_ok=True)
            for i in chosen:
                picture = Image.fromarray(samples[i].image.movedim(0, -1).contiguous().numpy())
                picture.save(folder / f"{i:05}.png")
    unfinished.rename(out)


def page(results: dict[str, list[float]], tried: dict[str, Trial], curves: Sequence[Curve]) -> str:
    """Return a Markdown table: each way's mean over the seeds, spread, seeds, and the rates tried."""
    head = ("start", "top-1, mean", "spread", "of each seed", "rate: top-1 watched")
    done = {way: found for way, found in results.items() if found}
    rows = [(*row(way, found), str(tried[way])) for way, found in done.items()]
    words = "Percent of the test pictures; the spread is the sample standard deviation. "
    return f"{markdown_table(head, rows)}\n\n{words}{hours(curves)}\n"


if __name__ == "__main__":
    sys.exit(main())

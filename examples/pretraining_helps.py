"""Does masked pre-training help where labels are few? `python examples/pretraining_helps.py cifar10.zip OUT`.

swin-pico is pre-trained once on all training pictures, without labels. Then, for each of three seeds, 5 % of
the training pictures keep their labels, drawn anew, and a classifier is trained on these by one recipe: from
scratch, and from the pre-trained backbone. Each way may choose between two learning rates: both are tried
with the first seed, and the better is kept. Another 500 training pictures are watched to choose it, and the
best epoch; by the test pictures nothing is chosen. (They are all that the pre-training has to watch, without
their labels; so what it learned last is taken, not what explained them best.) Everything goes on where it was
stopped.

What it costs, on two CPU cores with `--precision bf16`, at 350 pictures a second in training and 600 in
evaluation: 30 epochs of 50,000 and 10,000 pictures, 80 minutes; eight classifiers, 60 epochs of 2,500 and 500
each, 64 minutes. `--pretraining-epochs` and `--epochs` make it shorter.
"""

import argparse
import json
import random
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from PIL import Image

import swinkit
from swinkit.cli.meter import Meter
from swinkit.cli.pretrain import recipe_of
from swinkit.data.layouts import find_samples
from swinkit.errors import SwinkitError
from swinkit.recipes.catalogue import find
from swinkit.tasks.classification.evaluation import Evaluation
from swinkit.tasks.classification.model import Classifier
from swinkit.training.recipe import Recipe
from swinkit.training.run import LAST

SHARE = 0.05  # of the training pictures that keep their labels
WATCHED = 500  # training pictures that choose the rate and the best epoch
BASE = find("cifar10-swin-pico")
RATES = (BASE.optimiser.lr, BASE.optimiser.lr / 3)
LAYER_DECAY = 0.8  # for a backbone that has learned something already
INTERRUPTED = 130  # as shells have it
SCRATCH, PRETRAINED = "from scratch", "pre-trained"


@dataclass
class Result:
    """What one way of beginning came to."""

    watched: dict[float, float] = field(default_factory=dict)  # learning rate: top-1 with the first seed
    top1: list[float] = field(default_factory=list)  # of the test pictures, for each seed

    @property
    def rates(self) -> Sequence[float]:
        """Those to be tried: all, then the best."""
        return [max(self.watched, key=lambda rate: self.watched[rate])] if self.watched else RATES


def main(arguments: Sequence[str] | None = None) -> int:
    """Train all, and write a table."""
    options = reader().parse_args(arguments)
    try:
        results = compared(options)
    except SwinkitError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("stopped; the same command goes on")
        return INTERRUPTED
    print(table(results))
    return 0


def reader() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("data", type=Path, help="folder or zip of train/CLASS/picture and test/CLASS/picture")
    made.add_argument("out", type=Path, help="folder for everything that is made")
    made.add_argument("--pretraining-epochs", type=int, default=30)
    made.add_argument("--epochs", type=int, default=60, help="of each classifier")
    made.add_argument("--batch-size", type=int, default=128)
    made.add_argument("--seeds", type=int, default=3)
    made.add_argument("--precision", choices=("fp32", "bf16", "fp16"), default="fp32")
    return made


def compared(options: argparse.Namespace) -> dict[str, Result]:
    """Both ways, seed by seed; after each training, `results.md` and `results.json` tell what there is."""
    trained(pretraining(options), options.data, options.out / "pretrained")
    starts = {SCRATCH: None, PRETRAINED: options.out / "pretrained" / LAST}
    results = {way: Result() for way in starts}
    for seed in range(options.seeds):
        few = options.out / f"few-{seed}"
        keep_few_labels(options.data, few, seed)
        for way, result in results.items():
            models = {}
            for rate in result.rates:
                run = options.out / f"{way.replace(' ', '-')}-{rate:g}-{seed}"
                models[rate] = trained(finetuning(options, seed, starts[way], rate), few, run)
            if not result.watched:
                result.watched = {rate: top1(model, few, "val") for rate, model in models.items()}
            (best,) = result.rates
            result.top1.append(top1(models[best], options.data, "test"))
            (options.out / "results.md").write_text(table(results) + "\n", encoding="utf-8")
            told = {way: asdict(result) for way, result in results.items()}
            (options.out / "results.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return results


def trained(recipe: Recipe, data: Path, run: Path) -> torch.nn.Module:
    """The best model of a run, which goes on if it has begun."""
    print(f"{run}:", flush=True)
    with Meter() as meter:
        return swinkit.train(recipe, data, run, reporting=meter.show)


def top1(model: torch.nn.Module, data: Path, split: str) -> float:
    """The share of a split's pictures whose first answer is right."""
    assert isinstance(model, Classifier)
    measured = swinkit.evaluate(model, data, split=split)
    assert isinstance(measured, Evaluation)
    return measured.top1


def pretraining(options: argparse.Namespace) -> Recipe:
    """As `swinkit pretrain swin-pico`, with the colours of the classifier's recipe, and smaller batches."""
    recipe = recipe_of(BASE.variant)
    epochs = options.pretraining_epochs
    return replace(
        recipe,
        data=replace(recipe.data, mean=BASE.data.mean, std=BASE.data.std),
        optimiser=replace(recipe.optimiser, lr=1e-3),
        schedule=replace(recipe.schedule, epochs=epochs, warmup_epochs=min(5, epochs / 10)),
        run=replace(recipe.run, batch_size=options.batch_size, precision=options.precision),
    )


def finetuning(options: argparse.Namespace, seed: int, start: Path | None, rate: float) -> Recipe:
    """The recipe of a classifier, the same for both ways but for the start and the rates of the layers."""
    epochs = options.epochs
    return replace(
        BASE,
        init=None if start is None else str(start),
        optimiser=replace(BASE.optimiser, lr=rate, layer_decay=None if start is None else LAYER_DECAY),
        schedule=replace(BASE.schedule, epochs=epochs, warmup_epochs=min(5, epochs / 10)),
        run=replace(BASE.run, batch_size=options.batch_size, precision=options.precision, seed=seed),
    )


def keep_few_labels(data: Path, out: Path, seed: int) -> None:
    """A folder with `SHARE` of each class in train, and others in val; one that is there is kept as it is."""
    if out.exists():
        return
    samples = find_samples(data, "train")
    labels = samples.labels
    assert labels is not None
    partial = out.with_name(f"{out.name}.partial")
    for label, name in enumerate(samples.classes):
        own = torch.nonzero(labels == label)[:, 0].tolist()
        random.Random(f"{seed} {name}").shuffle(own)
        kept, watched = max(1, round(SHARE * len(own))), max(1, WATCHED // len(samples.classes))
        for split, chosen in (("train", own[:kept]), ("val", own[kept : kept + watched])):
            folder = partial / split / name
            folder.mkdir(parents=True, exist_ok=True)
            for i in chosen:
                picture = Image.fromarray(samples.load(i).movedim(0, -1).contiguous().numpy())
                picture.save(folder / f"{i:05}.png")
    partial.rename(out)


def table(results: dict[str, Result]) -> str:
    """Markdown: the mean over the seeds, the spread (sample standard deviation), each seed, and the rate."""
    lines = ["| start | top-1, mean | spread | seeds | rate: top-1 watched |", "|---|---|---|---|---|"]
    for way, result in results.items():
        found = [100 * value for value in result.top1]
        if found:
            spread = f"{statistics.stdev(found):.2f}" if len(found) > 1 else "-"
            each = ", ".join(f"{value:.2f}" for value in found)
            tried = ", ".join(f"{rate:g}: {100 * value:.2f}" for rate, value in result.watched.items())
            lines.append(f"| {way} | {statistics.mean(found):.2f} | {spread} | {each} | {tried} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())

"""Does masked pre-training help where labels are few? `python examples/pretraining_helps.py cifar10.zip OUT`.

swin-pico is pre-trained once on all training pictures, without labels. Then, for each of three seeds, 5 % of
the training pictures keep their labels, drawn anew, and a classifier is trained on these by one recipe: from
scratch, and from the pre-trained backbone. Another 1,000 training pictures are watched to choose the best
epoch; the test pictures are looked at once, at the end. Everything goes on where it was stopped.

On two CPU cores the whole takes several hours; `--epochs` and `--pretraining-epochs` make it shorter.
"""

import argparse
import random
import statistics
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image

import swinkit
from swinkit.cli.pretrain import recipe_of
from swinkit.data.layouts import find_samples
from swinkit.recipes.catalogue import find
from swinkit.tasks.classification.model import Classifier
from swinkit.training.recipe import Recipe

SHARE = 0.05  # of the training pictures that keep their labels
WATCHED = 1000  # training pictures that choose the best epoch
BASE = "cifar10-swin-pico"
LAYER_DECAY = 0.8  # for a backbone that has learned something already


def main(arguments: Sequence[str] | None = None) -> int:
    """Train all, and print a table."""
    reader = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    reader.add_argument("data", type=Path, help="folder or zip of train/CLASS/picture and test/CLASS/picture")
    reader.add_argument("out", type=Path, help="folder for everything that is made")
    reader.add_argument("--pretraining-epochs", type=int, default=60)
    reader.add_argument("--epochs", type=int, default=100, help="of each classifier")
    reader.add_argument("--batch-size", type=int, default=128)
    reader.add_argument("--seeds", type=int, default=3)
    options = reader.parse_args(arguments)

    pretrained = options.out / "pretrained"
    batch = options.batch_size
    swinkit.train(pretraining(options.pretraining_epochs, batch), options.data, pretrained)
    accuracies: dict[str, list[float]] = {"from scratch": [], "pre-trained": []}
    for seed in range(options.seeds):
        few = options.out / f"few-{seed}"
        keep_few_labels(options.data, few, seed)
        for way, found in accuracies.items():
            start = pretrained / "best" if way == "pre-trained" else None
            recipe = finetuning(options.epochs, batch, seed, start)
            model = swinkit.train(recipe, few, options.out / f"{way.replace(' ', '-')}-{seed}")
            assert isinstance(model, Classifier)
            found.append(swinkit.evaluate(model, options.data, split="test").top1)
            print(f"seed {seed}, {way}: top-1 {found[-1]:.2%}", flush=True)
    print(table(accuracies))
    return 0


def pretraining(epochs: int, batch: int) -> Recipe:
    """As `swinkit pretrain swin-pico`, with the colours of the classifier's recipe, and smaller batches."""
    recipe, base = recipe_of("swin-pico"), find(BASE)
    return replace(
        recipe,
        data=replace(recipe.data, mean=base.data.mean, std=base.data.std),
        optimiser=replace(recipe.optimiser, lr=1e-3),
        schedule=replace(recipe.schedule, epochs=epochs, warmup_epochs=min(5, epochs / 10)),
        run=replace(recipe.run, batch_size=batch),
    )


def finetuning(epochs: int, batch: int, seed: int, start: Path | None) -> Recipe:
    """The recipe of a classifier, the same for both ways but for where the weights start from."""
    recipe = find(BASE)
    decay = None if start is None else LAYER_DECAY
    return replace(
        recipe,
        init=None if start is None else str(start),
        optimiser=replace(recipe.optimiser, layer_decay=decay),
        schedule=replace(recipe.schedule, epochs=epochs, warmup_epochs=min(5, epochs / 10)),
        run=replace(recipe.run, batch_size=batch, seed=seed),
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


def table(accuracies: dict[str, list[float]]) -> str:
    """Markdown: the mean over the seeds, the spread (sample standard deviation), and each seed."""
    lines = ["| start | top-1, mean | spread | seeds |", "|---|---|---|---|"]
    for way, found in accuracies.items():
        spread = f"{100 * statistics.stdev(found):.2f}" if len(found) > 1 else "-"
        each = ", ".join(f"{100 * value:.2f}" for value in found)
        lines.append(f"| {way} | {100 * statistics.mean(found):.2f} | {spread} | {each} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())

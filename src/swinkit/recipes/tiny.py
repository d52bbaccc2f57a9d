"""Recipes for small pictures on one ordinary computer."""

from dataclasses import replace
from typing import Any

from ..settings.data import CroppedData
from ..settings.optimiser import Optimiser
from ..settings.run import Run
from ..settings.schedule import Schedule
from ..tasks.classification.settings import Augmentation, ClassificationRecipe
from ..tasks.multi_label.settings import MultiLabelRecipe
from ..tasks.regression.settings import RegressionRecipe

SEEN = CroppedData(
    size=(32, 32),
    resize=32,
    mean=(0.4914, 0.4822, 0.4465),  # of CIFAR-10's training images
    std=(0.2470, 0.2435, 0.2616),
)
SHIFTED = Augmentation(scale=None, shift=4, operations=0, erase=0.0, mixup=0.0, cutmix=0.0)


def on_cifar10(variant: str) -> ClassificationRecipe:
    """Train the smallest V1 or V2 from scratch on CIFAR-10, or on any folder of small pictures.

    `swinkit train cifar10-swin-pico data=cifar10.zip out=runs/pico run.precision=bf16`

    Hardware: two CPU cores with bf16 instructions; without them, leave out the last setting. Time: 126
    seconds an epoch where nothing else ran. Result: V1 87.03 % top-1, 98.88 % top-5 on the 10,000 test
    pictures; V2, in half the epochs, 84.19 % and 98.90 % (one run each; they are the models that come with
    swinkit, and their cards have more).
    """
    return ClassificationRecipe(
        variant=variant,
        drop_path=0.05,
        data=SEEN,
        optimiser=Optimiser(kind="muon", lr=3e-3, weight_decay=0.05),
        schedule=Schedule(epochs=60, warmup_epochs=3),
        # More leaves a model of a million parameters underfitted: with CutMix it answered worse.
        augmentation=replace(SHIFTED, erase=0.25),
        run=Run(batch_size=128),
    )


def on_few(variant: str, init: str) -> ClassificationRecipe:
    """Fine-tune the model of CIFAR-10 on another small set of small pictures for 20 epochs.

    `swinkit train finetune-swin-pico data=digits out=runs/digits augmentation.flip=0 run.precision=bf16`

    Hardware: two CPU cores; the weights that it begins with come with swinkit. Time: under five minutes for
    1,000 pictures. Result: docs/training.md compares it with training from scratch on scikit-learn's
    digits (`examples/digits.py`).
    """
    return ClassificationRecipe(
        variant=variant,
        init=init,
        drop_path=0.0,
        data=SEEN,
        optimiser=Optimiser(lr=1e-3, weight_decay=0.05, layer_decay=0.8),
        schedule=Schedule(epochs=20, warmup_epochs=1),
        augmentation=SHIFTED,
        run=Run(batch_size=32),
    )


def on_label_sets(variant: str, init: str) -> MultiLabelRecipe:
    """Fine-tune the model of CIFAR-10 on small pictures that show several classes each.

    `swinkit train finetune-multi-label-swin-pico data=pictures out=runs/labels run.precision=bf16`

    Hardware: two CPU cores; the weights that it begins with come with swinkit. Other models are named by
    `variant`, `init`, `data.size` and `data.resize`. Time: under five minutes for 1,000 pictures.
    Result: none is published.
    """
    return MultiLabelRecipe(**tuned(variant, init))


def on_numbers(variant: str, init: str) -> RegressionRecipe:
    """Fine-tune the model of CIFAR-10 to answer about small pictures with numbers.

    `swinkit train finetune-regression-swin-pico data=pictures out=runs/numbers run.precision=bf16`

    Hardware: two CPU cores; the weights that it begins with come with swinkit. Other models are named by
    `variant`, `init`, `data.size` and `data.resize`. Time: under five minutes for 1,000 pictures.
    Result: none is published.
    """
    return RegressionRecipe(**tuned(variant, init, smoothing=0.0))


def tuned(variant: str, init: str, **changes: float) -> dict[str, Any]:
    """Return the fields of `on_few`, which learns from few pictures, with changes of the augmentation."""
    few = on_few(variant, init)
    names = ("variant", "init", "drop_path", "data", "optimiser", "schedule", "run")
    return {
        **{name: getattr(few, name) for name in names},
        "augmentation": replace(few.augmentation, **changes),
    }

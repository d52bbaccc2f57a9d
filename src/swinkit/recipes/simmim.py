"""Masked image modelling on ImageNet-1k and the fine-tuning after it, as Microsoft released them.

github.com/microsoft/SimMIM and the `simmim` configurations of github.com/microsoft/Swin-Transformer; rates
stand as they are for the batch of the recipe.
"""

from dataclasses import replace

from ..data.imagenet_preprocessing import MEAN, STD, side_before_crop
from ..models.catalogue import find_variant
from ..settings.data import CroppedData
from ..settings.optimiser import Optimiser
from ..settings.run import Run
from ..settings.schedule import Schedule
from ..tasks.classification.settings import ClassificationRecipe
from ..tasks.simmim.settings import SimMIMRecipe, published_masking
from .imagenet import pictures

SMALL = 64  # pixels below which pictures are not cut at the borders in validation
LONG = Schedule(kind="multistep", epochs=800, warmup_epochs=10, warmup_lr=2e-6, at=(700,))
SHORT = Schedule(epochs=100, warmup_epochs=10, warmup_lr=4e-6, final_lr=4e-5, after_warmup=False)


def pretraining(variant: str, drop_path: float) -> SimMIMRecipe:
    """Pre-train by masked image modelling on ImageNet-1k for 800 epochs.

    `swinkit train simmim-swin-b-w6-192 data=imagenet out=runs/simmim-swin-b --processes 16`

    Hardware: one DGX-2, 16 GPUs with 128 pictures each. Hours: 150 to 350 on 16 V100s (estimated). Accuracy
    is published after fine-tuning: the recipes `simmim-imagenet-...`. As in the released code, tables
    of biases, and V2's temperatures and the MLPs of its biases, decay.
    """
    return masked(variant, drop_path, 4e-4, LONG)


def short_pretraining(variant: str) -> SimMIMRecipe:
    """Pre-train by masked image modelling on ImageNet-1k for 100 epochs.

    `swinkit train simmim-swin-b-w6-192-100ep data=imagenet out=runs/simmim-swin-b --processes 16`

    Hardware: one DGX-2, 16 GPUs with 128 pictures each. Hours: 19 on 16 V100s (estimated). Accuracy is
    published after fine-tuning: the recipes `simmim-imagenet-...-100ep`. The cosine begins with the first
    step, hidden by the warm-up.
    """
    return masked(variant, 0.0, 8e-4, SHORT)


def any_pretraining(variant: str) -> SimMIMRecipe:
    """Pre-train any variant by masked image modelling on any pictures for 100 epochs.

    `swinkit pretrain swin-pico data=pictures out=runs/pretrained`

    Not published, and not measured: as in the published 100 epochs, a cell has the size of one token of the
    last stage; in a batch a quarter as large, the rate is half as high.
    """
    name, chosen = find_variant(variant)
    size = chosen.size
    recipe = masked(name, 0.0, 4e-4, replace(SHORT, warmup_lr=2e-6, final_lr=2e-5))
    side = max(size[-2:])
    resize = side if side < SMALL else side_before_crop(side)
    return replace(
        recipe,
        data=replace(recipe.data, size=size, resize=resize, workers=0),
        run=Run(batch_size=512),
    )


def masked(variant: str, drop_path: float, lr: float, schedule: Schedule) -> SimMIMRecipe:
    """Return the recipe that all pre-trainings have in common."""
    return SimMIMRecipe(
        variant=variant,
        drop_path=drop_path,
        data=CroppedData(
            size=(192, 192),
            resize=side_before_crop(192),
            mean=MEAN,
            std=STD,
            interpolation="bilinear",
            workers=8,
        ),
        masking=published_masking(find_variant(variant)[1].spec),
        optimiser=Optimiser(lr=lr, weight_decay=0.05, rule="simmim-pretrain"),
        schedule=schedule,
        run=Run(batch_size=2048, precision="fp16"),
    )


def finetuning(variant: str, init: str, layer_decay: float, drop_path: float = 0.1) -> ClassificationRecipe:
    """Fine-tune a model that SimMIM pre-trained on ImageNet-1k with labels for 100 epochs.

    `swinkit train simmim-imagenet-swin-b data=imagenet out=runs/swin-b --processes 16`

    Hardware: one DGX-2, 16 GPUs with 128 pictures each. Hours: 19 to 61 on 16 V100s (estimated). Published
    top-1: V1 B 84.0 at 224 pixels; after 100 epochs of pre-training 83.5, and 82.8 at 192 pixels; V1 L 85.4
    at 224. V2 B begins with weights of a later study, pre-trained in 500,000 steps, as many as 800 epochs
    have; by its own fine-tuning they reach 85.04.

    The rates of the layers differ, but not where the warm-up begins and the cosine ends: in L, the first
    layers peak below the final rate, to which they then rise.
    """
    return ClassificationRecipe(
        variant=variant,
        init=init,
        drop_path=drop_path,
        data=pictures(variant),
        optimiser=Optimiser(lr=5e-3, weight_decay=0.05, layer_decay=layer_decay),
        schedule=Schedule(epochs=100, warmup_epochs=20, warmup_lr=1e-6, final_lr=1e-6),
        run=Run(batch_size=2048, precision="fp16"),
    )

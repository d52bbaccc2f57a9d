"""SwinV2-G, three billion parameters in three steps, as in its paper: Liu et al. 2022, appendix A.

Nobody released a configuration. What the paper leaves open is as in the recipes of the smaller ones; rates
begin and end at 0. Its pictures, ImageNet-22K-ext, are not public; the paper counts warm-ups in steps, which
are told here in epochs of 70 million pictures.
"""

from dataclasses import replace

from ..settings.optimiser import Optimiser
from ..settings.run import Run
from ..settings.schedule import Schedule
from ..tasks.classification.settings import ClassificationRecipe
from ..tasks.simmim.settings import SimMIMRecipe
from .imagenet import pictures
from .simmim import masked

BATCH = 9216
STEPS = 70_000_000 // BATCH  # of an epoch
LR, DECAY, NORM = 1.4e-3, 0.1, 100.0


def giant_pretraining(variant: str) -> SimMIMRecipe:
    """Pre-train SwinV2-G, step 1 of 3: masked image modelling on ImageNet-22K-ext for 20 epochs.

    `swinkit train simmim-swinv2-g data=imagenet-22k-ext out=runs/giant-1`

    Hardware: not published; a batch is 9,216 pictures, 72 for each of 128 GPUs, as `torchrun --nnodes 16
    --nproc-per-node 8 -m swinkit train ...` starts them. Hours: 150,000 of one V100 (estimated). What it is
    worth is published after the third step.
    """
    schedule = Schedule(epochs=20, warmup_epochs=30_000 / STEPS, final_lr=0.0)
    return replace(
        masked(variant, 0.0, LR, schedule),
        optimiser=Optimiser(lr=LR, weight_decay=DECAY, clip_norm=NORM),
        run=Run(batch_size=BATCH, precision="fp16", checkpointing=True),
    )


def giant_with_labels(variant: str) -> ClassificationRecipe:
    """Train SwinV2-G, step 2 of 3: with the labels of ImageNet-22K-ext for 30 epochs.

    `swinkit train 22k-ext-swinv2-g data=imagenet-22k-ext out=runs/giant-2 init=runs/giant-1/best`

    Hardware: not published; a batch is 9,216 pictures, 72 for each of 128 GPUs, started as in the first step.
    Hours: 220,000 of one V100 (estimated). What it is worth is published after the third step.
    """
    return ClassificationRecipe(
        variant=variant,
        drop_path=0.3,
        data=pictures(variant),
        optimiser=Optimiser(lr=LR, weight_decay=DECAY, clip_norm=NORM, layer_decay=0.87),
        schedule=Schedule(epochs=30, warmup_epochs=20_000 / STEPS, final_lr=0.0),
        run=Run(batch_size=BATCH, precision="fp16", checkpointing=True),
    )


def giant_at_640_pixels(variant: str) -> ClassificationRecipe:
    """Fine-tune SwinV2-G, step 3 of 3: on ImageNet-1k at 640 pixels for 10 epochs.

    `swinkit train 22k-ext-1k-swinv2-g data=imagenet out=runs/giant-3 init=runs/giant-2/best`

    Hardware: not published; a batch is 576 pictures, 9 for each of 64 GPUs, started as in the first step.
    Hours: 17,000 of one V100 (estimated). Published top-1: 90.17.
    """
    return ClassificationRecipe(
        variant=variant,
        drop_path=0.5,
        data=pictures(variant),
        optimiser=Optimiser(lr=2.1e-5, weight_decay=DECAY, clip_norm=NORM),
        schedule=Schedule(epochs=10, warmup_epochs=2, final_lr=0.0),
        run=Run(batch_size=576, precision="fp16", checkpointing=True),
    )

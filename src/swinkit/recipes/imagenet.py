"""Classifiers on ImageNet, as Microsoft released them: github.com/microsoft/Swin-Transformer, `configs/`.

Its rates are for batches of 512 and grow with the batch; the rates here are those of the recipe's own batch.
Settings that all its trainings share are the defaults of `Optimiser` and `Augmentation`: AdamW with gradients
cut at a norm of 5, RandAugment, mixup, CutMix, random erasing and label smoothing.
"""

from ..data.imagenet_preprocessing import MEAN, STD, side_before_crop
from ..models.specs import VARIANTS
from ..settings.data import CroppedData
from ..settings.optimiser import Optimiser
from ..settings.run import Run
from ..settings.schedule import Schedule
from ..tasks.classification.settings import ClassificationRecipe

SCRATCH_DROP_PATH = {"t": 0.2, "s": 0.3, "b": 0.5}  # by the size of the model
LATER_DROP_PATH = {"t": 0.1, "s": 0.2, "b": 0.2, "l": 0.2}


def from_scratch(variant: str) -> ClassificationRecipe:
    """Train a V1, V2 or Swin-MLP from scratch on ImageNet-1k for 300 epochs.

    `swinkit train imagenet-swin-t data=imagenet out=runs/swin-t --processes 8`

    Hardware: 8 GPUs with 128 pictures each, or 64 for B, twice. Hours: 41 to 220 on 8 V100s (estimated).
    Published top-1: V1 T 81.2, S 83.2, B 83.5, with heads of 24 channels at 256 pixels T 81.6; V2 at 256
    pixels T 81.8, S 83.7, B 84.2, with windows of 16 T 82.8, S 84.1, B 84.6; Swin-MLP T 79.4, 79.6 and 79.7
    (heads of 24, 12 and 6 channels), B 81.3. The paper cuts gradients at 1, its code at 5.
    """
    return ClassificationRecipe(
        variant=variant,
        drop_path=SCRATCH_DROP_PATH[size_of(variant)],
        data=pictures(variant),
        optimiser=Optimiser(lr=1e-3, weight_decay=0.05),
        schedule=Schedule(epochs=300, warmup_epochs=20, warmup_lr=1e-6, final_lr=1e-5),
        run=Run(batch_size=1024, precision="fp16"),
    )


def at_384_pixels(variant: str) -> ClassificationRecipe:
    """Fine-tune a V1 of 224 pixels at 384 pixels on ImageNet-1k for 30 epochs.

    `swinkit train imagenet-swin-b-w12-384 data=imagenet out=runs/swin-b-384 --processes 8`

    Hardware: 8 GPUs with 64 pictures each, twice. Hours: 48 on 8 V100s (estimated). Published top-1: 84.5.
    """
    return ClassificationRecipe(
        variant=variant,
        init="swin-b/imagenet-1k",
        drop_path=SCRATCH_DROP_PATH[size_of(variant)],
        data=pictures(variant),
        optimiser=Optimiser(lr=4e-5, weight_decay=1e-8),
        schedule=Schedule(epochs=30, warmup_epochs=5, warmup_lr=4e-8, final_lr=4e-7),
        run=Run(batch_size=1024, precision="fp16"),
    )


def on_22k(variant: str, weight_decay: float) -> ClassificationRecipe:
    """Train a V1 or V2 from scratch on ImageNet-22k for 90 epochs.

    `swinkit train imagenet-22k-swin-b data=imagenet-22k out=runs/swin-b-22k --processes 8`

    Hardware: not published; a batch is 4,096 pictures. Hours: 1,200 to 9,400 of one V100 (estimated). Its
    accuracy is published only after fine-tuning on ImageNet-1k: the recipes `imagenet-22k-1k-...`. The paper
    writes a weight decay of 0.01 for V1, its code has 0.05.
    """
    return ClassificationRecipe(
        variant=variant,
        drop_path=LATER_DROP_PATH[size_of(variant)],
        data=pictures(variant),
        optimiser=Optimiser(lr=1e-3, weight_decay=weight_decay),
        schedule=Schedule(epochs=90, warmup_epochs=5, warmup_lr=1e-6, final_lr=1e-5),
        run=Run(batch_size=4096, precision="fp16"),
    )


def from_22k_to_1k(variant: str, init: str) -> ClassificationRecipe:
    """Fine-tune a V1 or V2 of ImageNet-22k on ImageNet-1k for 30 epochs.

    `swinkit train imagenet-22k-1k-swin-b data=imagenet out=runs/swin-b-22k-1k --processes 8`

    Hardware: 8 GPUs with 64 pictures each, twice. Hours: 5 to 120 on 8 V100s (estimated). Published top-1: V1
    T 80.9, S 83.2, B 85.2, L 86.3, at 384 pixels B 86.4, L 87.3; V2 at 256 pixels B 86.2, L 86.9, at 384
    B 87.1, L 87.6. The paper writes a constant rate of 1e-5 and a drop-path of 0.1, its code has these.
    """
    return ClassificationRecipe(
        variant=variant,
        init=init,
        drop_path=LATER_DROP_PATH[size_of(variant)],
        data=pictures(variant),
        optimiser=Optimiser(lr=4e-5, weight_decay=1e-8),
        schedule=Schedule(epochs=30, warmup_epochs=5, warmup_lr=4e-8, final_lr=4e-7),
        run=Run(batch_size=1024, precision="fp16"),
    )


def experts_on_22k(variant: str) -> ClassificationRecipe:
    """Train a Swin-MoE, or the dense model it is compared with, from scratch on ImageNet-22k for 90 epochs.

    `swinkit train imagenet-22k-swin-moe-s-8e data=imagenet-22k out=runs/swin-moe-s-8e`

    Hardware: 32 GPUs, 64 for 64 experts, as `torchrun --nnodes 4 --nproc-per-node 8 -m swinkit train ...`
    starts them on machines of 8; an expert has room for its share of the pictures of one GPU, so what is
    learned depends on how many there are. Hours: 57 to 100 on 32 V100s (estimated), without what experts
    exchange. Published top-1 on ImageNet-22k: S dense 35.5, 8 experts 36.8, 16 experts 37.6, 32 experts 37.4,
    with cosine routers 37.2; B dense 37.3, 8 experts 38.1, 16 experts 38.7, 32 experts 38.6, with cosine
    routers 38.5.
    """
    dense = variant.endswith("-dense")
    return ClassificationRecipe(
        variant=variant,
        drop_path=0.3 if variant.startswith("swin-moe-b") and not dense else 0.2,
        data=pictures(variant),
        optimiser=Optimiser(lr=1e-3, weight_decay=0.1, clip_norm=3.0),
        schedule=Schedule(epochs=90, warmup_epochs=10, warmup_lr=1e-6, final_lr=1e-5),
        run=Run(batch_size=4096, precision="fp16"),
    )


def pictures(variant: str) -> CroppedData:
    """Return settings of pictures at the variant's published size, cut as Microsoft evaluates."""
    height, width = VARIANTS[variant].size
    return CroppedData(size=(height, width), resize=side_before_crop(height), mean=MEAN, std=STD, workers=8)


def size_of(variant: str) -> str:
    """Return the letter that names the size of a model, such as "t" for tiny."""
    return next(word for word in variant.split("-") if len(word) == 1)

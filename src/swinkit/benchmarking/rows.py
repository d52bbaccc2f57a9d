"""What is measured: a model, its pixels, and whether it answers or learns. Torch-free."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from ..core.spec import Size
from ..errors import UsageError
from ..models.catalogue import did_you_mean
from ..models.counts import num_macs
from ..models.specs import VARIANTS

ANSWER = "answer"  # one forward pass, without gradients
LEARN = "learn"  # one training step: forward, loss, backward, fused AdamW
LEARN_LEAN = "learn with checkpointing"  # the same; blocks are computed again in the backward pass
GROW = "grow"  # one forward pass at one of several sizes, beside a model of another kind
VIT = "vit-b-16"  # that other kind: attention over the whole picture
GROWTH = (224, 448, 672, 896, 1344, 1792)  # pixels per side
LEARNING = 3  # times the products of a forward pass: one more for the inputs, one for the weights


@dataclass(frozen=True, kw_only=True)
class Row:
    """One piece of work. `size` is in pixels per axis, `batch` in pictures or clips.

    Not every row is `quick`: one that is not is left to the long run.
    """

    variant: str
    size: Size
    batch: int
    work: str = ANSWER
    device: str = "cpu"
    quick: bool = False

    @property
    def name(self) -> str:
        """As `--rows` takes it."""
        sides = self.size if len(set(self.size)) > 1 else self.size[:1]
        parts = ["growth"] if self.work == GROW else [self.variant]
        parts.append("x".join(map(str, sides)))
        if self.work != GROW:
            parts += [f"b{self.batch}", *{LEARN: ["train"], LEARN_LEAN: ["train-lean"]}.get(self.work, [])]
        return "-".join([*parts, *(["gpu"] if self.device != "cpu" else [])])

    @property
    def title(self) -> str:
        """For people."""
        what = {ANSWER: "inference", LEARN: "training step", LEARN_LEAN: "training step, checkpointing"}
        return f"{self.variant} {'x'.join(map(str, self.size))}, batch {self.batch}, " + what.get(
            self.work, "growth"
        )

    @property
    def family(self) -> str:
        """The models that share a builder."""
        return VARIANTS[self.variant].family

    @property
    def learns(self) -> bool:
        """Whether it is a training step."""
        return self.work in (LEARN, LEARN_LEAN)

    def operations(self, model: str) -> float:
        """Floating-point operations of `model`'s matrix products: two for each multiply-add.

        What checkpointing computes again is not counted: it is no use to the user.
        """
        variant = VARIANTS[self.variant]
        macs = vit_macs(self.size) if model == VIT else num_macs(variant.spec, self.size, variant.num_classes)
        return 2.0 * macs * self.batch * (LEARNING if self.learns else 1)


def vit_macs(size: Size) -> int:
    """Multiply-adds of ViT-B/16, which has 1,000 classes, by the rule of `models.counts`."""
    patch, dim, depth, hidden = 16, 768, 12, 3072
    tokens = prod(side // patch for side in size)
    seen = tokens + 1  # with the class token
    block = seen * (4 * dim * dim + 2 * dim * hidden) + 2 * seen * seen * dim
    return tokens * 3 * patch * patch * dim + depth * block + 1000 * dim


def square(side: int) -> Size:
    """A picture that is as high as wide."""
    return (side, side)


CLIP = (32, 224, 224)
CPU = (
    Row(variant="swin-t", size=square(224), batch=1, quick=True),
    Row(variant="swin-t", size=square(224), batch=8, quick=True),
    Row(variant="swin-t", size=square(224), batch=32),
    Row(variant="swinv2-t", size=square(256), batch=1, quick=True),
    Row(variant="swinv2-t", size=square(256), batch=8),
    Row(variant="swinv2-t", size=square(256), batch=32),
    Row(variant="swin-t", size=square(448), batch=1),
    Row(variant="swin-t", size=square(896), batch=1),
    Row(variant="swin-t", size=(800, 1333), batch=1),
    Row(variant="video-swin-t", size=CLIP, batch=1),
    Row(variant="swin-t", size=square(224), batch=8, work=LEARN, quick=True),
    Row(variant="swin-t", size=square(224), batch=8, work=LEARN_LEAN),
    *(Row(variant="swin-t", size=square(side), batch=1, work=GROW) for side in GROWTH),
)
GPU = (
    *(
        Row(variant=name, size=square(side), batch=batch, device="cuda", quick=name == "swin-t")
        for name, side in (("swin-t", 224), ("swin-b", 224), ("swinv2-t", 256), ("swinv2-b", 256))
        for batch in (1, 64)
    ),
    Row(variant="video-swin-t", size=CLIP, batch=1, device="cuda", quick=True),
    *(
        Row(variant=name, size=square(side), batch=64, work=LEARN, device="cuda", quick=name == "swin-t")
        for name, side in (("swin-t", 224), ("swin-b", 224), ("swinv2-t", 256), ("swinv2-b", 256))
    ),
    *(Row(variant="swin-t", size=square(side), batch=1, work=GROW, device="cuda") for side in GROWTH),
)
ROWS = {row.name: row for row in (*CPU, *GPU)}


def rows_for(device: str, names: Sequence[str] | None, *, quick: bool) -> tuple[Row, ...]:
    """The rows of a device: those that are `quick`, or all, or those that `names` mean."""
    rows = [row for row in ROWS.values() if row.device == device]
    if not names:
        return tuple(row for row in rows if row.quick or not quick)
    return tuple(row for row in rows if any(means(name, row) for name in names))


def means(name: str, row: Row) -> bool:
    """Whether `name` is the row's, or no row's whole name and the beginning of this one's."""
    return name == row.name or (name not in ROWS and row.name.startswith(name))


def require_rows(names: Sequence[str] | None, devices: Sequence[str]) -> None:
    """Raise UsageError unless each of `names` means a row of one of the devices."""
    known = [row.name for row in ROWS.values() if row.device in devices]
    for name in names or ():
        if not any(means(name, ROWS[each]) for each in known):
            raise UsageError(f"unknown row {name!r}{did_you_mean(name, known)} (known: {', '.join(known)})")

"""The cases that are measured: a model, the size of its input, and the workload. Torch-free."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from swinkit.core.spec import Size
from swinkit.errors import UsageError
from swinkit.models.catalogue import suggest
from swinkit.models.counts import num_macs
from swinkit.models.specs import VARIANTS

INFERENCE = "inference"  # one forward pass without gradients
TRAINING = "training step"  # forward, loss, backward, fused AdamW
CHECKPOINTED = "training step, checkpointing"  # the same with the blocks recomputed in the backward pass
GROWTH = "growth"  # one forward pass at one of several sizes, beside a model of another kind
VIT = "vit-b-16"  # that other kind: attention over the whole picture
SIDES = (224, 448, 672, 896, 1344, 1792)  # pixels per side of the pictures of the growth cases
BACKWARD_FACTOR = 3  # a training step's products, in forward passes: one for inputs, one for weights more
SUFFIXES = {TRAINING: "-train", CHECKPOINTED: "-train-lean"}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A model and its workload. `size` is in pixels per axis, `batch` in pictures or clips.

    A case that is not `quick` is measured only in a full run or by its name.
    """

    variant: str
    size: Size
    batch: int
    workload: str = INFERENCE
    device: str = "cpu"
    quick: bool = False

    @property
    def name(self) -> str:
        """The name that `--cases` takes."""
        sides = "x".join(map(str, self.size if len(set(self.size)) > 1 else self.size[:1]))
        stem = f"growth-{sides}" if self.workload == GROWTH else f"{self.variant}-{sides}-b{self.batch}"
        return f"{stem}{SUFFIXES.get(self.workload, '')}{'-gpu' * (self.device != 'cpu')}"

    @property
    def title(self) -> str:
        """The heading of the case's table."""
        return f"{self.variant} {'x'.join(map(str, self.size))}, batch {self.batch}, {self.workload}"

    @property
    def family(self) -> str:
        """The family of the model."""
        return VARIANTS[self.variant].family

    @property
    def is_training(self) -> bool:
        """True for a training step."""
        return self.workload in SUFFIXES

    def operations(self, model: str) -> float:
        """Count the floating-point operations of the matrix products of `model`, two for each multiply-add.

        Recomputed products are not counted, because they are of no use to the user.
        """
        variant = VARIANTS[self.variant]
        macs = vit_macs(self.size) if model == VIT else num_macs(variant.spec, self.size, variant.num_classes)
        return 2.0 * macs * self.batch * (BACKWARD_FACTOR if self.is_training else 1)


def vit_macs(size: Size) -> int:
    """Count the multiply-adds of ViT-B/16 with 1,000 classes, by the rule of `swinkit.models.counts`."""
    patch, dim, depth, hidden = 16, 768, 12, 3072
    tokens = prod(side // patch for side in size)
    attended = tokens + 1  # with the class token
    block = attended * (4 * dim * dim + 2 * dim * hidden) + 2 * attended * attended * dim
    return tokens * 3 * patch * patch * dim + depth * block + 1000 * dim


def square(side: int) -> Size:
    """Return the size of a square picture."""
    return (side, side)


CLIP = (32, 224, 224)
GPU_MODELS = (("swin-t", 224), ("swin-b", 224), ("swinv2-t", 256), ("swinv2-b", 256))
CPU = (
    Case(variant="swin-t", size=square(224), batch=1, quick=True),
    Case(variant="swin-t", size=square(224), batch=8, quick=True),
    Case(variant="swin-t", size=square(224), batch=32),
    Case(variant="swinv2-t", size=square(256), batch=1, quick=True),
    Case(variant="swinv2-t", size=square(256), batch=8),
    Case(variant="swinv2-t", size=square(256), batch=32),
    Case(variant="swin-t", size=square(448), batch=1),
    Case(variant="swin-t", size=square(896), batch=1),
    Case(variant="swin-t", size=(800, 1333), batch=1),
    Case(variant="video-swin-t", size=CLIP, batch=1),
    Case(variant="swin-t", size=square(224), batch=8, workload=TRAINING, quick=True),
    Case(variant="swin-t", size=square(224), batch=8, workload=CHECKPOINTED),
    *(Case(variant="swin-t", size=square(side), batch=1, workload=GROWTH) for side in SIDES),
)
GPU = (
    *(
        Case(variant=name, size=square(side), batch=batch, device="cuda", quick=name == "swin-t")
        for name, side in GPU_MODELS
        for batch in (1, 64)
    ),
    Case(variant="video-swin-t", size=CLIP, batch=1, device="cuda", quick=True),
    *(
        Case(
            variant=name,
            size=square(side),
            batch=64,
            workload=TRAINING,
            device="cuda",
            quick=name == "swin-t",
        )
        for name, side in GPU_MODELS
    ),
    *(Case(variant="swin-t", size=square(side), batch=1, workload=GROWTH, device="cuda") for side in SIDES),
)
CASES = {case.name: case for case in (*CPU, *GPU)}


def cases_for(device: str, names: Sequence[str] | None, *, quick: bool) -> tuple[Case, ...]:
    """Return the cases of a device: those that match `names`, or all of a full or of a quick run."""
    cases = [case for case in CASES.values() if case.device == device]
    if not names:
        return tuple(case for case in cases if case.quick or not quick)
    return tuple(case for case in cases if any(matches(name, case) for name in names))


def matches(name: str, case: Case) -> bool:
    """Return True if `name` is the case's name, or a prefix of it that is no other case's name."""
    return name == case.name or (name not in CASES and case.name.startswith(name))


def require_cases(names: Sequence[str] | None, devices: Sequence[str]) -> None:
    """Check that each of `names` matches a case of one of the devices.

    Raises:
        UsageError: one does not.
    """
    known = [case.name for case in CASES.values() if case.device in devices]
    for name in names or ():
        if not any(matches(name, CASES[each]) for each in known):
            raise UsageError(f"unknown case {name!r}{suggest(name, known)} (known: {', '.join(known)})")

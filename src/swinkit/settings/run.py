"""A recipe's settings for execution: batches, precision, processes. Torch-free."""

from dataclasses import dataclass
from typing import Annotated, Literal

from ..errors import require
from ..type_check import require_kinds

Sharding = Literal["none", "full"]
Tracker = Literal["tensorboard", "wandb", "mlflow", "trackio"]
AUTO = "auto"  # the value of run.micro_batch for the largest that fits into memory


@dataclass(frozen=True, kw_only=True)
class Run:
    """Batches, precision, memory, and when to save and to stop.

    Raises:
        UsageError: a field is out of range.
    """

    batch_size: Annotated[int, "pictures in an optimiser step, over all processes"] = 128
    micro_batch: Annotated[
        int | Literal["auto"] | None,
        "pictures at a time on one process; null: all of its share; auto: as many as fit",
    ] = None
    precision: Annotated[
        Literal["fp32", "bf16", "fp16"], "number format that the forward pass computes in"
    ] = "fp32"
    compile: Annotated[bool, "compile the blocks, which needs a C++ compiler"] = False
    checkpointing: Annotated[bool, "compute each block again in the backward pass, for less memory"] = False
    sharding: Annotated[
        Sharding, "what each process keeps of a weight: none: the whole (DDP); full: its part (FSDP2)"
    ] = "none"
    ema: Annotated[
        float | None, "decay of the averaged weights, which are then measured and saved; null: none"
    ] = None
    seed: Annotated[int, "seed of all random numbers"] = 0
    save_every: Annotated[int, "optimiser steps between checkpoints; each epoch ends with one as well"] = 1000
    evaluate_every: Annotated[
        int | None, "epochs (or iterations, if the schedule counts them) between evaluations; null: an epoch"
    ] = None
    patience: Annotated[
        int | None, "epochs, or evaluations, without a better score before it stops; null: never"
    ] = None
    hours: Annotated[float | None, "hours of training after which it is evaluated and stops; null: never"] = (
        None
    )
    bad_steps: Annotated[int, "steps in a row without a finite loss before it stops"] = 20
    trackers: Annotated[
        tuple[Tracker, ...],
        "where else it is followed, such as [tensorboard,wandb]; each needs its extra",
    ] = ()

    def __post_init__(self) -> None:
        """Check every field."""
        require_kinds(self, "run.")
        require(self.batch_size >= 1, "run.batch_size", self.batch_size, "1 or more")
        micro = self.micro_batch
        divides = isinstance(micro, int) and micro >= 1 and self.batch_size % micro == 0
        fits = micro in (None, AUTO) or divides
        require(fits, "run.micro_batch", micro, f"{AUTO} or a divisor of run.batch_size, {self.batch_size}")
        whole = micro != AUTO or self.sharding == "none"
        require(whole, "run.micro_batch", micro, "a number where run.sharding shares the weights out")
        require(self.ema is None or 0 < self.ema < 1, "run.ema", self.ema, "between 0 and 1")
        require(0 <= self.seed < 2**32, "run.seed", self.seed, "in [0, 2^32)")
        require(self.save_every >= 1, "run.save_every", self.save_every, "1 or more")
        every = self.evaluate_every
        require(every is None or every >= 1, "run.evaluate_every", every, "null, or 1 or more")
        require(self.patience is None or self.patience >= 1, "run.patience", self.patience, "1 or more")
        require(self.hours is None or self.hours > 0, "run.hours", self.hours, "above 0")
        require(self.bad_steps >= 1, "run.bad_steps", self.bad_steps, "1 or more")

"""Run the made-up task in this process: `python -m tests.tasks.made_up.run train|observe DATA OUT [STEP]`."""

import json
import os
import signal
import sys
from pathlib import Path

import torch
from torch import distributed as dist

import swinkit
from swinkit.data.loader import InOrder
from swinkit.runs.step_report import Report
from swinkit.settings.data import Data
from swinkit.settings.run import Run
from swinkit.settings.schedule import Schedule
from swinkit.tasks.registry import TASKS
from swinkit.training.evaluation import observe_over_ranks
from swinkit.training.stopping import Signals

from .data import Collate, find_boxes
from .settings import BoxRecipe
from .task_type import BoxType

RECIPE = BoxRecipe(
    variant="swin-pico",
    drop_path=0.1,
    data=Data(mean=(0.2,) * 3, std=(0.3,) * 3),
    schedule=Schedule(iterations=9, warmup_iterations=2),
    run=Run(batch_size=4, micro_batch="auto", save_every=2, evaluate_every=4),
)


def boxes() -> BoxRecipe:
    """Train a finder of boxes for nine iterations."""
    return RECIPE


def train(data: Path, out: Path, killed_after: int = 0) -> None:
    """Train; be killed without notice after so many steps, unless it is 0."""
    steps = 0

    def count(report: Report | str) -> None:
        nonlocal steps
        steps += isinstance(report, Report)
        if killed_after and steps == killed_after:
            os.kill(os.getpid(), signal.SIGKILL)

    swinkit.train(RECIPE, data, out, reporting=count)


def observe(data: Path, out: Path) -> None:
    """Score a saved model as one of several processes, and write the scores."""
    dist.init_process_group("gloo")
    model = swinkit.load(out / "best")
    prepared = InOrder(find_boxes(data, "val"), Collate(model.preprocess), batch_size=2)
    observed, code = observe_over_ranks(model, prepared, Signals(torch.device("cpu")))
    assert not code
    (out / f"scores-{dist.get_rank()}.json").write_text(json.dumps(model.scores(observed)))
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    TASKS["made-up"] = BoxType
    what, data, out, *more = sys.argv[1:]
    {"train": train, "observe": observe}[what](Path(data), Path(out), *map(int, more))

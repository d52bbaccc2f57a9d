"""The log of a training as curves: `results.png` of its folder."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from PIL import Image

from ..tasks.results import save_picture
from ..tasks.task import HELD_OUT_LOSS
from ..viz.curves import Curve, Point, curves
from .folder import RunFolder
from .step_report import clock

RESULTS = "results.png"
# What an epoch's event holds beside scores.
OTHERS = ("event", "updates", "epoch", "skipped", "bad", "loss", HELD_OUT_LOSS, "lr", "seconds")


def draw_results(folder: RunFolder) -> None:
    """Write the picture into the folder of a run.

    Raises:
        EnvironmentProblem: it cannot be written.
    """
    picture = results_of(folder.events(), folder.path.absolute().name)
    save_picture(picture, folder.path / RESULTS)


def results_of(events: Sequence[Mapping[str, Any]], title: str) -> Image.Image:
    """Both losses, learning rate and every score over the epochs; behind two, those of single steps."""
    epochs = [event for event in events if event["event"] == "epoch"]
    steps = [event for event in events if event["event"] == "step"]
    scores = [name for name in epochs[-1] if name not in OTHERS] if epochs else []
    watched = over((event for event in epochs if HELD_OUT_LOSS in event), HELD_OUT_LOSS)
    panels = [
        Curve("loss", over(epochs, "loss"), behind=within(steps, "loss"), beside=watched),
        Curve("learning rate", over(epochs, "lr"), behind=within(steps, "rate")),
        *(Curve(name, over(epochs, name)) for name in scores),
    ]
    ranked = over(epochs, scores[0]) if scores else []
    finite = [point for point in ranked if math.isfinite(point[1])]
    best = max(finite, key=lambda point: point[1], default=None)
    told = ""
    if epochs:
        told = f"{len(epochs)} epoch{'s' * (len(epochs) != 1)}, {clock(epochs[-1]['seconds'])} of training"
    if best is not None:
        told += f", best {scores[0]} {best[1]:.4f} after epoch {best[0]:.0f}"
    return curves(
        panels,
        title=title,
        subtitle=told,
        best=best[0] if best else None,
        resumed=[place(event) for event in events if event["event"] == "resumed" and "steps" in event],
    )


def over(epochs: Iterable[Mapping[str, Any]], name: str) -> list[Point]:
    """(epoch, value); what is no number, or was written as a word since it is not finite, is NaN."""
    return [(float(event["epoch"]), number(event.get(name))) for event in epochs]


def within(steps: Iterable[Mapping[str, Any]], name: str) -> list[Point]:
    """(epochs done, value)."""
    return [(place(event), number(event.get(name))) for event in steps]


def place(event: Mapping[str, Any]) -> float:
    """How many epochs are done, the part of the current one included."""
    return event["epoch"] - 1 + event["step"] / event["steps"]


def number(value: Any) -> float:
    """A number of the log."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")

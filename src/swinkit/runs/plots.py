"""The log of a training as curves: `results.png` of its folder."""

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from PIL import Image

from ..tasks.results import save_picture
from ..tasks.task import HELD_OUT_LOSS
from ..viz.curves import Curve, Point, draw_curves
from ..viz.figure import can_draw
from .folder import RunFolder, is_evaluation
from .progress import quantity, rank_of
from .step_report import clock

RESULTS = "results.png"
# What an epoch's event holds beside scores.
OTHERS = (
    "event",
    "updates",
    "epoch",
    "iteration",
    "step",
    "steps",
    "skipped",
    "bad",
    "loss",
    HELD_OUT_LOSS,
    "lr",
    "seconds",
)


def draw_results(
    folder: RunFolder, ranked_loss: str = HELD_OUT_LOSS, *, lower_is_better: bool = False
) -> None:
    """Write the picture into the folder of a run, if matplotlib is installed.

    The highest first score is the best, or the lowest; of equal ones, that with the lower `ranked_loss`.

    Raises:
        EnvironmentProblem: it cannot be written.
    """
    if not can_draw(RESULTS):
        return
    title = folder.path.absolute().name
    picture = results_of(folder.events(), title, ranked_loss, lower_is_better=lower_is_better)
    save_picture(picture, folder.path / RESULTS)


def results_of(
    events: Sequence[Mapping[str, Any]],
    title: str,
    ranked_loss: str = HELD_OUT_LOSS,
    *,
    lower_is_better: bool = False,
) -> Image.Image:
    """Draw losses, learning rate and every score over epochs or iterations, and behind two those of steps."""
    evaluations = list(filter(is_evaluation, events))
    unit = "iteration" if evaluations and evaluations[-1]["event"] == "evaluation" else "epoch"
    place, over = partial(place_of, unit=unit), partial(points_of, unit=unit)
    steps = [event for event in events if event["event"] == "step"]
    scores = [name for name in evaluations[-1] if name not in OTHERS] if evaluations else []
    watched = over([event for event in evaluations if HELD_OUT_LOSS in event], HELD_OUT_LOSS)
    panels = [
        Curve("loss", over(evaluations, "loss"), behind=over(steps, "loss"), beside=watched),
        Curve("learning rate", over(evaluations, "lr"), behind=over(steps, "rate")),
        *(Curve(name, over(evaluations, name)) for name in scores),
    ]
    first, losses = over(evaluations, scores[0] if scores else ""), over(evaluations, ranked_loss)
    best = best_of(first, losses, lower_is_better=lower_is_better)
    subtitle = ""
    if evaluations:
        done = round(place_of(evaluations[-1], unit))
        subtitle = f"{quantity(done, unit)}, {clock(evaluations[-1]['seconds'])} of training"
    if best is not None:
        subtitle += f", best {scores[0]} {best[1]:.4f} after {unit} {best[0]:.0f}"
    return draw_curves(
        panels,
        title=title,
        subtitle=subtitle,
        unit=unit,
        best=best[0] if best else None,
        resumed=[place(event) for event in events if event["event"] == "resumed" and "steps" in event],
    )


def best_of(
    scores: Sequence[Point], losses: Sequence[Point], *, lower_is_better: bool = False
) -> Point | None:
    """Return the best score, of equal ones that of the lower loss, then the last; None if none is finite."""
    found = [
        (rank_of(score, loss, lower_is_better=lower_is_better), place, score)
        for (place, score), (_, loss) in zip(scores, losses, strict=True)
        if math.isfinite(score)
    ]
    if not found:
        return None
    _, place, score = max(found)
    return place, score


def points_of(events: Iterable[Mapping[str, Any]], name: str, unit: str = "epoch") -> list[Point]:
    """Return (epochs or iterations done, value); NaN where the value is no number or written as a word."""
    return [(place_of(event, unit), number(event.get(name))) for event in events]


def place_of(event: Mapping[str, Any], unit: str = "epoch") -> float:
    """Return how many epochs are done, the part of the current one included, or how many iterations."""
    if unit == "iteration":
        return float(event["updates"])
    within = event["step"] / event["steps"] - 1 if "step" in event else 0.0
    return event["epoch"] + within


def number(value: Any) -> float:
    """Return a number of the log, NaN if it is none."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")

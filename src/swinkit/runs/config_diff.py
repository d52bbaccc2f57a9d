"""Differences between two configurations of a run, named as on the command line."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..errors import listed
from ..settings.recipe import FORMER

RECIPE, PICTURES, CLASSES = "recipe", "fingerprints", "classes"  # entries of a configuration
PLACE = "data"  # the entry of where the data lie, which may be elsewhere when a run goes on
TRAINING, VALIDATION = "training", "held out"  # the entries of the two splits
COUNT = "pictures"  # how many they are
WRITTEN = "written"  # when the youngest file was, in nanoseconds; 0 if it need not be known
FREE = ("data.workers", "run.save_every", "run.trackers")  # fields by which no result can differ
OF_MODEL = ("task", "variant")  # fields by which the weights of a checkpoint no longer fit


@dataclass(frozen=True)
class Change:
    """One difference, in words, with its consequences."""

    text: str
    fatal: bool = False  # the weights of a checkpoint do not fit
    of_training: bool = False  # it is the training pictures, so that others may be unreadable

    def __str__(self) -> str:
        """Return the text."""
        return self.text


def changes_of(before: dict[str, Any], now: dict[str, Any]) -> list[Change]:
    """Return all differences but those of `FREE` fields; fields are named as on the command line."""
    then, found = before.get(PICTURES, {}), other_classes(before.get(CLASSES), now.get(CLASSES))
    moved = before.get(PLACE) != now.get(PLACE)  # and copies may be younger
    for kind, facts in now.get(PICTURES, {}).items():
        if other := other_pictures(then.get(kind, {}), facts, moved=moved):
            split = "validation" if kind == VALIDATION else kind
            found.append(Change(f"the {split} pictures differ: {other}", of_training=kind == TRAINING))
    return differences(fields_of(before), fields_of(now)) + found


def fields_of(config: dict[str, Any]) -> dict[str, Any]:
    """Return the recipe's fields, and entries of a configuration that have no comparison of their own."""
    apart = (RECIPE, PICTURES, CLASSES, PLACE)
    return {name: value for name, value in config.items() if name not in apart} | config.get(RECIPE, {})


def other_pictures(then: dict[str, Any], now: dict[str, Any], *, moved: bool) -> str:
    """Return in words how pictures differ, or ""; unmoved files count as changed if written since."""
    before, after = then.get(WRITTEN), now.get(WRITTEN)
    if then | {WRITTEN: None} != now | {WRITTEN: None}:
        old, new = then.get(COUNT), now.get(COUNT)
        return "the same number, other content" if old == new else f"{old} then, {new} now"
    if moved or before is None or after is None or before == after:
        return ""
    return f"as many, as large, but the youngest was written {moment(before)} then, {moment(after)} now"


def moment(nanoseconds: int) -> str:
    """Return date and time in the zone of this machine's clock."""
    return datetime.fromtimestamp(nanoseconds / 1e9).isoformat(" ", "seconds")  # noqa: DTZ006


def other_classes(before: list[str] | None, now: list[str] | None) -> list[Change]:
    """Return how the classes differ; nothing for runs of earlier versions, which did not record them."""
    if before is None or now is None or before == now:
        return []
    gone, new = ([name for name in a if name not in b] for a, b in ((before, now), (now, before)))
    parts = [f"{listed(gone)} gone"] * bool(gone) + [f"{listed(new)} new"] * bool(new)
    how = f"{len(before)} then, {len(now)} now; {', '.join(parts) or 'in another order'}"
    return [Change(f"the classes differ: {how}", fatal=True)]


def differences(before: dict[str, Any], now: dict[str, Any], prefix: str = "") -> list[Change]:
    """Return the differences between two nested dictionaries."""
    found = []
    for name in [*before, *(name for name in now if name not in before)]:
        old, new, field = before.get(name), now.get(name), f"{prefix}{name}"
        if isinstance(old, dict) and isinstance(new, dict):
            found += differences(old, new, f"{field}.")
        elif old != new and field not in FREE and not (name not in now and field in FORMER):
            text = f"{field} was {abridge(old)}, now {abridge(new)}"
            found.append(Change(text, fatal=field in OF_MODEL))
    return found


def abridge(value: Any) -> str:
    """Shorten a value of a configuration for a message."""
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."

"""What differs between two configurations of a run, in the words of those who give them."""

import json
from datetime import datetime
from typing import Any

from ..errors import listed

RECIPE, PICTURES, CLASSES = "recipe", "fingerprints", "classes"  # entries of a configuration
DATA = "data"  # where the data lie, which may be elsewhere when a run goes on
WRITTEN = "written"  # of pictures: when the youngest file was, in nanoseconds; 0 if it need not be known
FREE = ("data.workers", "run.save_every", "run.trackers")  # fields by which no result can differ
OTHER_TRAINING = "the training pictures differ"
OTHER_CLASSES = "the classes differ"
OTHER_MODEL = (OTHER_CLASSES, "variant was", "task was")  # which the weights of a checkpoint do not fit


def changes_of(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """A text each, but for `FREE` fields; those of the recipe are named as on the command line."""
    old, new = (
        {**config, **config.get(RECIPE, {}), RECIPE: None, PICTURES: None, CLASSES: None, DATA: None}
        for config in (before, now)
    )
    then, found = before.get(PICTURES, {}), other_classes(before.get(CLASSES), now.get(CLASSES))
    moved = before.get(DATA) != now.get(DATA)  # and copies may be younger
    for kind, facts in now.get(PICTURES, {}).items():
        if other := other_pictures(then.get(kind, {}), facts, moved=moved):
            found.append(f"the {kind} pictures differ: {other}")
    return differences(old, new) + found


def other_pictures(then: dict[str, Any], now: dict[str, Any], *, moved: bool) -> str:
    """How pictures differ, in a text or none; where they lie as before, none may have been written since."""
    before, after = then.get(WRITTEN), now.get(WRITTEN)
    if then | {WRITTEN: None} != now | {WRITTEN: None}:
        old, new = then.get("pictures"), now.get("pictures")
        return "the same number, other content" if old == new else f"{old} then, {new} now"
    if moved or before is None or after is None or before == after:
        return ""
    return f"as many, as large, but the youngest was written {moment(before)} then, {moment(after)} now"


def moment(nanoseconds: int) -> str:
    """Date and time, as this machine's clock has it."""
    return datetime.fromtimestamp(nanoseconds / 1e9).isoformat(" ", "seconds")  # noqa: DTZ006


def other_classes(before: list[str] | None, now: list[str] | None) -> list[str]:
    """How the classes differ, in a text or none; of earlier versions' runs they are not known."""
    if before is None or now is None or before == now:
        return []
    gone, new = ([name for name in a if name not in b] for a, b in ((before, now), (now, before)))
    parts = [f"{listed(gone)} gone"] * bool(gone) + [f"{listed(new)} new"] * bool(new)
    return [f"{OTHER_CLASSES}: {len(before)} then, {len(now)} now; {', '.join(parts) or 'in another order'}"]


def differences(before: dict[str, Any], now: dict[str, Any], prefix: str = "") -> list[str]:
    """What differs between two nested dictionaries, a text each."""
    found = []
    for name in [*before, *(name for name in now if name not in before)]:
        old, new = before.get(name), now.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            found += differences(old, new, f"{prefix}{name}.")
        elif old != new and f"{prefix}{name}" not in FREE:
            found.append(f"{prefix}{name} was {abridged(old)}, now {abridged(new)}")
    return found


def abridged(value: Any) -> str:
    """A value of a configuration, short enough for a message."""
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."

"""What differs between two configurations of a run, in the words of those who give them."""

import json
from typing import Any

RECIPE, PICTURES = "recipe", "fingerprints"  # entries of a configuration
FREE = ("data.workers", "run.save_every", "run.trackers")  # fields by which no result can differ
OTHER_TRAINING = "the training pictures differ"


def changes_of(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """A text each, but for `FREE` fields; those of the recipe are named as on the command line."""
    old, new = (
        {**config, **config.get(RECIPE, {}), RECIPE: None, PICTURES: None} for config in (before, now)
    )
    then, found = before.get(PICTURES, {}), []
    for kind, facts in now.get(PICTURES, {}).items():
        if then.get(kind) != facts:
            found.append(f"the {kind} pictures differ: {counted(then.get(kind, {}), facts)}")
    return differences(old, new) + found


def counted(then: dict[str, Any], now: dict[str, Any]) -> str:
    """How many pictures there were, and are."""
    old, new = then.get("pictures"), now.get("pictures")
    return "the same number, other content" if old == new else f"{old} then, {new} now"


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

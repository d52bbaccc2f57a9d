"""Choose when a test kills a training: by $KILL_SEED, so that each pass of `make kill-tests` differs."""

import os
import random
from collections.abc import Sequence
from typing import Any

import pytest

SEED = int(os.environ.get("KILL_SEED", "0"))


def moments(count: int, of: int) -> list[int]:
    """Return the first of so many events, and one in each of `count` parts of them."""
    draw, part = random.Random(SEED), of // count
    return [1, *(draw.randrange(i * part, (i + 1) * part) + 1 for i in range(count))]


def by_day(values: Sequence[Any], every: int) -> list[Any]:
    """Return parameters of which by day one in `every` is tried, the first included, and by night all."""
    return [
        pytest.param(*each, marks=[] if i % every == 0 else pytest.mark.nightly)
        for i, each in enumerate(values)
    ]

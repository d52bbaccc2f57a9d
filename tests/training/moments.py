"""When a test kills a training: drawn from $KILL_SEED, so that `make kill-tests` takes others each time."""

import os
import random

SEED = int(os.environ.get("KILL_SEED", "0"))


def moments(count: int, of: int) -> list[int]:
    """Of so many events, one in each of `count` parts, and the very first."""
    draw, part = random.Random(SEED), of // count
    return [1, *(draw.randrange(i * part, (i + 1) * part) + 1 for i in range(count))]

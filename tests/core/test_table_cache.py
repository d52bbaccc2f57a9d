"""What is remembered of late stays within its room, whoever asks."""

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from swinkit.core.fast import cache


@dataclass(frozen=True)
class Size:
    """Its hash is Python's, in which another thread may take over."""

    side: int


@dataclass(frozen=True)
class Table:
    size: Size
    nbytes: int = 2**12


def test_python_threads_that_ask_at_the_same_time_get_their_tables(monkeypatch):
    """Room is made while others look at what there is."""
    monkeypatch.setattr(cache, "CAPACITY", 2**17)
    remembered = cache.TableCache(Table)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            sizes = [Size(side) for _ in range(10) for side in range(40)]
            assert [table.size for table in pool.map(remembered, sizes)] == sizes
    finally:
        sys.setswitchinterval(interval)
    assert remembered.nbytes <= 2**17 + 8 * 2**13  # each thread may add its own after all made room

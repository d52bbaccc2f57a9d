"""Cached tables stay within one capacity, whoever asks."""

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from swinkit.core.fast import cache
from swinkit.errors import UsageError


@dataclass(frozen=True)
class Size:
    """Its hash is Python's, in which another thread may take over."""

    side: int


@dataclass(frozen=True)
class Table:
    size: Size
    numbers: Tensor = field(default_factory=lambda: torch.zeros(2**12, dtype=torch.uint8))


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
    # each thread may add its own table after all made room
    assert sum(map(cache.bytes_of, cache.TABLES.values())) <= 2**17 + 8 * 2**13


def test_all_caches_share_one_capacity_and_drop_the_least_recently_used(monkeypatch):
    cache.TABLES.clear()
    monkeypatch.setattr(cache, "CAPACITY", 4 * 2**13)  # four tables and their overhead
    first, second = cache.TableCache(Table), cache.TableCache(lambda side: Table(Size(side)))
    old, kept = first(Size(0)), second(1)
    for side in range(2, 5):
        second(1)
        first(Size(side))
    assert len(cache.TABLES) == 4
    assert second(1) is kept
    assert first(Size(0)) is not old


def test_the_capacity_is_a_number_of_megabytes(monkeypatch):
    assert cache.read_capacity() == 64 * 2**20
    monkeypatch.setenv(cache.MEMORY, "7")
    assert cache.read_capacity() == 7 * 2**20


@pytest.mark.parametrize("stated", ["", "-1", "1.5", "lots", "²"])
def test_a_capacity_that_is_no_number_is_refused(monkeypatch, stated):
    monkeypatch.setenv(cache.MEMORY, stated)
    with pytest.raises(UsageError, match="it must be a whole number of megabytes, 0 or more"):
        cache.read_capacity()

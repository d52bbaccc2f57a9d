"""Two caches: tables that depend on sizes alone, and tensors that are computed from weights.

Tables are dropped by the memory that they take, the least recently used first. A tensor computed from weights
is valid for as long as the weights stay the same, and serves answers without gradients. Where a gradient
depends on it, it is computed anew, and the cache is emptied then, so that nothing computed before a step of
training is used after it.
"""

import os
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Generic, TypeVar, TypeVarTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from ...errors import require
from .torch_internals import version_of

MEMORY = "SWINKIT_TABLES_MB"  # environment variable: megabytes of all tables together
OVERHEAD = 2**12  # bytes of a table beside its numbers
ENTRIES = 8  # tensors of one module, at most
# Numbers of a cached tensor. Larger ones take long to compute, but using them takes much longer.
LARGEST = 2**20


def read_capacity(default: int = 64) -> int:
    """Return the bytes that all tables may take together: those of `$SWINKIT_TABLES_MB`, or the default.

    The default holds the tables of one forward of two images of 800 x 1333, for example.

    Raises:
        UsageError: the variable is no number of megabytes.
    """
    stated = os.environ.get(MEMORY, str(default))
    require(stated.isascii() and stated.isdigit(), MEMORY, stated, "a whole number of megabytes, 0 or more")
    return int(stated) * 2**20


CAPACITY = read_capacity()
TABLES: dict[Hashable, Any] = {}  # of every TableCache; the most recently used is last

Key = TypeVarTuple("Key")
Table = TypeVar("Table")


class TableCache(Generic[*Key, Table]):
    """Decorator that caches the tables a function makes: tuples or dataclasses with tensors in them.

    All caches share one capacity, and the least recently used table goes first. Several Python threads may
    ask at the same time; at worst a table is made twice.
    """

    def __init__(self, make: Callable[[*Key], Table]):
        self.make = make

    def __call__(self, *key: *Key) -> Table:
        """Return the table of these arguments."""
        place = (self.make, *key)
        table = TABLES.pop(place, None)
        if table is None:
            table = self.make(*key)
            make_room(bytes_of(table))
        TABLES[place] = table
        return table


def make_room(count: int) -> None:
    """Drop tables until `count` more bytes fit, or none is left."""
    tables = TABLES.copy()  # at once, because other threads may change them meanwhile
    excess = sum(map(bytes_of, tables.values())) + count - CAPACITY
    for place, table in tables.items():
        if excess <= 0:
            break
        TABLES.pop(place, None)
        excess -= bytes_of(table)


def bytes_of(table: Any) -> int:
    """Return the memory that a table takes, in bytes."""
    parts = table if isinstance(table, tuple) else vars(table).values()
    return OVERHEAD + sum(part.nbytes for part in parts if isinstance(part, Tensor))


class WeightCache:
    """Tensors by key, each with the weights it was computed from."""

    def __init__(self) -> None:
        self.entries: dict[Hashable, tuple[list[WeightState], Tensor]] = {}

    def get(self, key: Hashable, weights: Iterable[Tensor], compute: Callable[[], Tensor]) -> Tensor:
        """Return `compute()`, or its cached result if `weights` still hold the same numbers."""
        weights = list(weights)
        if any(type(weight.data) is not Tensor for weight in weights):  # quantised, for example
            return compute()
        if torch.is_grad_enabled() and any(weight.requires_grad for weight in weights):
            self.clear()
            return compute()
        entry = self.entries.get(key)
        if entry is not None and all(map(WeightState.matches, entry[0], weights)):
            return entry[1]
        with torch.inference_mode(mode=False), torch.no_grad():  # the result may meet a gradient later
            value = compute()
        if value.numel() <= LARGEST:
            if len(self.entries) >= ENTRIES:
                self.clear()
            self.entries[key] = [WeightState(weight) for weight in weights], value
        return value

    def clear(self) -> None:
        """Remove all entries."""
        self.entries.clear()


class WeightState:
    """A weight as it was.

    On the CPU its numbers are compared, which takes microseconds. On other devices that would make the host
    wait, so torch's count of writes is compared: a write through `.data` escapes it.
    """

    def __init__(self, weight: Tensor):
        self.weight = weight.detach()  # also keeps the memory from becoming another weight's
        self.version = None
        if weight.device.type == "cpu":
            self.weight = self.weight.clone()
        elif not weight.is_inference():
            self.version = version_of(weight)

    def matches(self, weight: Tensor) -> bool:
        """Return whether `weight` is still the same; False if torch does not expose its version."""
        if (weight.device, weight.dtype) != (self.weight.device, self.weight.dtype):
            return False
        if weight.device.type == "cpu":
            return torch.equal(weight, self.weight)
        if self.version is None or weight.is_inference():
            return False
        return weight.data_ptr() == self.weight.data_ptr() and version_of(weight) == self.version


CACHES: WeakKeyDictionary[nn.Module, WeightCache] = WeakKeyDictionary()  # so copies of a module start empty


def cache_of(module: nn.Module) -> WeightCache:
    """Return the cache of one module, which lives as long as the module."""
    cache = CACHES.get(module)
    return CACHES.setdefault(module, WeightCache()) if cache is None else cache

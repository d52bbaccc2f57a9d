"""Two caches: tables that depend on sizes alone, and tensors that are computed from weights.

Tables are dropped by the memory that they take, the least recently used first. A tensor computed from weights
is valid for as long as the weights stay the same, and serves answers without gradients. Where a gradient
depends on it, it is computed anew, and the cache is emptied then, so that nothing computed before a step of
training is used after it.
"""

from collections.abc import Callable, Hashable, Iterable
from typing import Generic, Protocol, TypeVar, TypeVarTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from .torch_internals import version_of

CAPACITY = 2**28  # bytes of one kind of table: enough for batches of 8 images of 800 x 1333, for example
OVERHEAD = 2**12  # bytes of a table beside its numbers
ENTRIES = 8  # tensors of one module, at most
# Numbers of a cached tensor. Larger ones take long to compute, but using them takes much longer.
LARGEST = 2**20


class Sized(Protocol):
    """A table with its size in bytes."""

    @property
    def nbytes(self) -> int:
        """The memory that it takes, in bytes."""
        ...


Key = TypeVarTuple("Key")
Table = TypeVar("Table", bound=Sized)


class TableCache(Generic[*Key, Table]):
    """Decorator that caches the tables a function makes, and drops the least recently used ones.

    Several Python threads may ask at the same time; at worst a table is made twice.
    """

    def __init__(self, make: Callable[[*Key], Table]):
        self.make = make
        self.tables: dict[Hashable, Table] = {}  # the most recently used is last

    def __call__(self, *key: *Key) -> Table:
        """Return the table of these arguments."""
        table = self.tables.pop(key, None)
        if table is None:
            table = self.make(*key)
            self.make_room(table.nbytes + OVERHEAD)
        self.tables[key] = table
        return table

    def make_room(self, count: int) -> None:
        """Drop tables until `count` more bytes fit, or none is left."""
        excess = self.nbytes + count - CAPACITY
        for key, table in self.tables.copy().items():
            if excess <= 0:
                break
            self.tables.pop(key, None)
            excess -= table.nbytes + OVERHEAD

    @property
    def nbytes(self) -> int:
        """The memory that all tables take together, in bytes."""
        tables = self.tables.copy()  # at once, because other threads may change them meanwhile
        return sum(table.nbytes + OVERHEAD for table in tables.values())


class WeightCache:
    """Tensors by key, each with the weights it was computed from."""

    def __init__(self) -> None:
        self.entries: dict[Hashable, tuple[list[WeightState], Tensor]] = {}

    def get(self, key: Hashable, weights: Iterable[Tensor], compute: Callable[[], Tensor]) -> Tensor:
        """Return `compute()`, or its cached result if `weights` still hold the same numbers."""
        weights = list(weights)
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

"""Observations of held-out data, to be scored: the same for any number of processes.

Shapes: N bytes.
"""

import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..data.batch import map_leaves


@dataclass(frozen=True)
class Observed:
    """Counts, which are summed, and records of samples, which are put in the order of the samples.

    `counts` are integer tensors, such as confusion matrices, since sums of floating-point numbers depend on
    their order. `records` are plain values and tensors by the number of a sample, such as answers, boxes and
    losses. `Task.observe` numbers them by their position in the batch; the evaluation, by `at`, in the data
    set.

    Raises:
        TypeError: a count is a floating-point number.
    """

    counts: dict[str, Tensor] = field(default_factory=dict)
    records: dict[int, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse counts whose sum depends on the order."""
        for name, count in self.counts.items():
            if count.is_floating_point() or count.is_complex():
                raise TypeError(f"counts[{name!r}] must be integers, got {count.dtype}; put it into records")

    def __add__(self, other: "Observed") -> "Observed":
        """Add the counts, and put the records in order."""
        return Observed.sum((self, other))

    def at(self, first: int) -> "Observed":
        """Return this on the CPU, the records numbered from `first`, the number of the batch's first sample.

        Raises:
            TypeError: a record holds something else than tensors and plain values.
        """
        counts = {name: count.cpu() for name, count in self.counts.items()}
        return Observed(counts, {first + place: to_plain(record) for place, record in self.records.items()})

    @staticmethod
    def sum(parts: Iterable["Observed"]) -> "Observed":
        """Add all parts, of which only one at a time is held beside the sum.

        Raises:
            ValueError: two parts have a record of the same sample.
        """
        counts, records, total = dict[str, Tensor](), dict[int, Any](), 0
        for part in parts:
            for name, count in part.counts.items():
                counts[name] = counts[name] + count if name in counts else count
            records |= part.records
            total += len(part.records)
        if len(records) < total:
            raise ValueError("two records are of the same sample; each sample must be observed once")
        return Observed(counts, dict(sorted(records.items())))

    def encode(self) -> Tensor:
        """Return this as bytes, (N,) uint8, to be sent to another process."""
        content = io.BytesIO()
        torch.save((self.counts, self.records), content)
        return torch.frombuffer(content.getbuffer(), dtype=torch.uint8)

    @staticmethod
    def decode(content: Tensor) -> "Observed":
        """Decode an observation from (N,) bytes, on the CPU; only tensors and plain values are read."""
        file = io.BytesIO(content.numpy().tobytes())
        return Observed(*torch.load(file, map_location="cpu", weights_only=True))


def to_plain(record: Any) -> Any:
    """Return a record with plain tensors on the CPU in place of tv_tensors and of tensors on other devices.

    Raises:
        TypeError: it holds a leaf that `Observed.decode` would refuse, such as a number of numpy's.
    """

    def convert(leaf: Any) -> Any:
        if isinstance(leaf, Tensor):
            return leaf.detach().cpu().as_subclass(Tensor)
        if leaf is None or type(leaf) in (bool, int, float, str, bytes):
            return leaf
        kind = type(leaf).__name__
        raise TypeError(f"a record must hold tensors and plain values, got {kind}; convert it, as by float()")

    return map_leaves(record, convert)

"""What was computed from weights, remembered for as long as they stay the same.

It is for answers without gradients. What is computed on the way of a gradient is computed anew, and what was
remembered is forgotten then: after a step of training nothing is taken on trust.
"""

from collections.abc import Callable, Hashable, Iterable

import torch
from torch import Tensor

ENTRIES = 8  # at most, of one part of a model
LARGEST = 2**20  # numbers; making more takes long, but using it much longer


class Memo:
    """Values by key. A copy of a model starts without any, and none is saved with it."""

    def __init__(self) -> None:
        self.entries: dict[Hashable, tuple[list[Seen], Tensor]] = {}

    def __call__(self, key: Hashable, weights: Iterable[Tensor], make: Callable[[], Tensor]) -> Tensor:
        """What `make` makes of `weights`, unless it is remembered from these very numbers."""
        weights = list(weights)
        if torch.is_grad_enabled() and any(weight.requires_grad for weight in weights):
            self.forget()
            return make()
        entry = self.entries.get(key)
        if entry is not None and all(map(Seen.again, entry[0], weights)):
            return entry[1]
        with torch.inference_mode(mode=False), torch.no_grad():  # what is made here may meet a gradient later
            value = make()
        if value.numel() <= LARGEST:
            if len(self.entries) >= ENTRIES:
                self.entries.clear()
            self.entries[key] = [Seen(weight) for weight in weights], value
        return value

    def forget(self) -> None:
        """Begin anew."""
        self.entries.clear()

    def __reduce__(self) -> tuple[type["Memo"], tuple[()]]:
        """Copied and pickled without its values."""
        return Memo, ()


class Seen:
    """A weight as it was.

    On the CPU its numbers are compared, which takes microseconds. Elsewhere that would make the host wait for
    the device, so the version that torch counts is: a write through `.data` escapes it.
    """

    def __init__(self, weight: Tensor):
        self.weight = weight.detach()  # also keeps the memory from being another weight's
        self.version = None
        if weight.device.type == "cpu":
            self.weight = self.weight.clone()
        elif not weight.is_inference():
            self.version = weight._version  # noqa: SLF001  there is no public one

    def again(self, weight: Tensor) -> bool:
        """Whether `weight` is still the same."""
        if (weight.device, weight.dtype) != (self.weight.device, self.weight.dtype):
            return False
        if weight.device.type == "cpu":
            return torch.equal(weight, self.weight)
        same = weight.data_ptr() == self.weight.data_ptr() and not weight.is_inference()
        return same and weight._version == self.version  # noqa: SLF001

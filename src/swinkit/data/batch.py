"""What all batches are: tensors that belong together, and go together to where they are needed."""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, Self

import torch
from torch import Tensor


class Batch:
    """The base of frozen dataclasses of tensors, beside which they may hold other things."""

    def to(self, device: torch.device) -> Self:
        """The same on `device`; from pinned memory a GPU fetches it while the processor goes on."""
        return self._each(lambda value: value.to(device, non_blocking=value.is_pinned()))

    def pin_memory(self) -> Self:
        """The same in pinned memory; where there is a GPU, `DataLoader` calls this in a thread of its own."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Self:
        itself: Any = self
        values = {field.name: getattr(self, field.name) for field in fields(itself)}
        tensors = {name: change(value) for name, value in values.items() if isinstance(value, Tensor)}
        return replace(itself, **tensors)

"""Memory for weights in large pages, where the system has them.

A call passes all weights by once. On small pages the processor looks up where each one lies, thousands of
times, and stops fetching ahead at the end of each.
"""

import mmap

import torch
from torch import Tensor

CHUNK = 2**22  # numbers that are reserved at a time; of these, memory is only taken for what is written to
LINE = 16  # numbers of a cache line, at which every tensor begins


class Pages:
    """Hands out room for tensors, one behind the other, which lives as long as they do."""

    def __init__(self) -> None:
        self.free = torch.empty(0, dtype=torch.float32, device="cpu")

    def copy_of(self, tensor: Tensor) -> Tensor:
        """The same numbers in fp32, contiguous, in a place of their own."""
        count = -(-tensor.numel() // LINE) * LINE
        if count > len(self.free):
            self.free = reserved(max(count, CHUNK))
        place, self.free = self.free[: tensor.numel()], self.free[count:]
        return place.view(tensor.shape).copy_(tensor)


def reserved(count: int) -> Tensor:
    """Room for so many numbers."""
    if not hasattr(mmap, "MADV_HUGEPAGE"):  # it is Linux that has to be asked
        return torch.empty(count, dtype=torch.float32, device="cpu")
    memory = mmap.mmap(-1, 4 * count, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_HUGEPAGE)
    return torch.frombuffer(memory, dtype=torch.float32)

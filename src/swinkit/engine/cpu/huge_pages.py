"""Memory for weights in huge pages, where the system has them.

Every call reads all weights once. On small pages the processor looks up the address of each page, thousands
of times, and stops fetching ahead at the end of each.
"""

import mmap

import torch
from torch import Tensor

CHUNK = 2**22  # numbers that are reserved at a time; of these, memory is only taken for what is written to
LINE = 16  # numbers of a cache line, at which every tensor begins


class HugePages:
    """Memory for tensors, one behind the other, which lives as long as they do."""

    def __init__(self) -> None:
        self.free = torch.empty(0, dtype=torch.float32, device="cpu")

    def copy(self, tensor: Tensor) -> Tensor:
        """Return a contiguous copy in fp32 in this memory."""
        count = -(-tensor.numel() // LINE) * LINE
        if count > len(self.free):
            self.free = reserve(max(count, CHUNK))
        place, self.free = self.free[: tensor.numel()], self.free[count:]
        return place.view(tensor.shape).copy_(tensor)


def reserve(count: int) -> Tensor:
    """Reserve memory for `count` numbers of fp32."""
    if not hasattr(mmap, "MADV_HUGEPAGE"):  # it is Linux that has to be asked
        return torch.empty(count, dtype=torch.float32, device="cpu")
    memory = mmap.mmap(-1, 4 * count, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_HUGEPAGE)
    return torch.frombuffer(memory, dtype=torch.float32)

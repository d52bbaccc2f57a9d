"""Near duplicates: images that look alike though their pixels differ, by compression or resizing.

An image has a difference hash of 128 bits: which cells of a coarse grid are brighter than the next. Two
hashes that differ in three bits or fewer agree in at least one quarter of the bits, so only those that share
a quarter are compared. Not every copy is found.
"""

from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor

ROWS, COLUMNS = 8, 17  # of the grid; each cell but the last of a row has a next one
BITS, QUARTERS = ROWS * (COLUMNS - 1), 4
NEAR = QUARTERS - 1  # bits in which two may differ
FLAT = 24.0  # greys: an image whose cells differ by less has no hash
CROWD = 100  # images that share a quarter: it is then common, as a white border is, and tells nothing


def difference_hash(pixels: Tensor) -> int | None:
    """Return the hash of (C, h, w) uint8, 128 bits; None for an image without contrast."""
    grey = pixels.float().mean(0, keepdim=True)
    cells = torch.nn.functional.adaptive_avg_pool2d(grey, (ROWS, COLUMNS))[0]
    if cells.max() - cells.min() < FLAT:
        return None
    brighter = (cells[:, 1:] > cells[:, :-1]).flatten().tolist()
    return int("".join("01"[bit] for bit in brighter), 2)


def group_near_duplicates(hashes: Sequence[int | None]) -> list[list[int]]:
    """Group the indices of similar hashes; each is like some other of its group, not like all."""
    leader = list(range(len(hashes)))

    def first_of(index: int) -> int:
        while leader[index] != index:
            leader[index] = index = leader[leader[index]]
        return index

    for quarter in range(QUARTERS):
        shared: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for index, dhash in enumerate(hashes):
            if dhash is not None:
                shared[dhash >> quarter * (BITS // QUARTERS) & (1 << BITS // QUARTERS) - 1].append(
                    (index, dhash)
                )
        for together in shared.values():
            few = together if len(together) <= CROWD else []
            for (a, first), (b, second) in combinations(few, 2):
                if (first ^ second).bit_count() <= NEAR:
                    low, high = sorted((first_of(a), first_of(b)))
                    leader[high] = low
    groups = defaultdict(list)
    for index, dhash in enumerate(hashes):
        if dhash is not None:
            groups[first_of(index)].append(index)
    return [group for group in groups.values() if len(group) > 1]

"""Random numbers that follow from their purpose, not from when or where they are drawn."""

import hashlib
import random

import torch


def draws(*purpose: int | str) -> random.Random:
    """Return a stream of random numbers for a purpose, such as `(seed, epoch, "order")`.

    It is the same in any process and on any machine. Streams of different purposes are unrelated, since their
    seeds are sha256 hashes.
    """
    return random.Random(hashlib.sha256(repr(purpose).encode()).digest())


def generator(stream: random.Random) -> torch.Generator:
    """Return a generator of torch, for whole tensors, seeded by `stream`."""
    return torch.Generator().manual_seed(stream.getrandbits(63))

"""Random numbers that follow from what they are for, not from when or where they are drawn."""

import hashlib
import random

import torch


def draws(*purpose: int | str) -> random.Random:
    """A stream of its own for each purpose, such as `(seed, epoch, "order")`.

    The same in any process and on any machine; two streams are unrelated, as sha256 is.
    """
    return random.Random(hashlib.sha256(repr(purpose).encode()).digest())


def generator(stream: random.Random) -> torch.Generator:
    """A stream of torch's, for whole tensors, that begins where `stream` says."""
    return torch.Generator().manual_seed(stream.getrandbits(63))

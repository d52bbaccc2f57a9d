"""Headed models as the weights know them, small and stirred."""

import torch
from torch import Tensor

from swinkit.heads.pyramid import Pyramid
from swinkit.tasks.simmim.model import SimMIM

from ..models.small import Headed, small, stirred

CLASSES = 5


def classifier(family: str = "v1", num_classes: int = CLASSES, **changes: object) -> Headed:
    """Return a small classifier of `family`."""
    return stirred(Headed(small(family, **changes), num_classes)).eval()


def pyramid(family: str = "v1", **changes: object) -> Pyramid:
    """Return a small pyramid that gives out every stage."""
    return stirred(Pyramid(small(family, **changes), (0, 1))).eval()


def reconstructor(family: str = "v1", **changes: object) -> SimMIM:
    """Return a small masked image model of `family`."""
    return stirred(SimMIM(small(family, **changes))).eval()


def copy_of(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of now."""
    return {name: tensor.detach().clone() for name, tensor in state.items()}


def assert_equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    """Check that the names, types and bits are the same."""
    assert one.keys() == other.keys()
    assert all(one[name].dtype == other[name].dtype and torch.equal(one[name], other[name]) for name in one)

"""What the tests against other libraries share: stirred models, our twins of them, a measure of agreement."""

import torch
from torch import Tensor, nn

from swinkit.core.spec import Spec
from swinkit.models.build import build

from ..models.small import Headed, stirred

CLASSES = 5
CLOSE = 1e-5  # of the largest value; the same sums in another order differ by less


def twin(spec: Spec) -> Headed:
    """Return our model of the same numbers, with weights of its own."""
    return stirred(Headed(build(spec), CLASSES)).eval()


def loud(model: nn.Module) -> nn.Module:
    """Random values in every parameter of a model of another library; its buffers stay."""
    return stirred(model).eval()


@torch.no_grad()
def difference(ours: nn.Module, theirs: nn.Module, x: Tensor) -> float:
    """Return the largest difference of two models' answers, in units of the largest answer."""
    expected = theirs(x)
    return float((ours(x) - expected).abs().max() / expected.abs().max())

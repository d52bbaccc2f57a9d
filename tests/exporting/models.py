"""Small models to convert, one of each kind that a library knows."""

from torch import nn

from swinkit.core.spec import Size
from swinkit.data.preprocess import Preprocess
from swinkit.heads.pyramid import Pyramid
from swinkit.tasks.classification.model import Classifier
from swinkit.tasks.simmim.model import SimMIM

from ..models.small import small, stirred

LABELS = ("ant", "bee", "cow", "dog", "eel")
FIT = Preprocess.to_crop(crop=(64, 64), resize=73)
THREE = {"depths": (2, 2, 2), "num_heads": (2, 4, 4)}
CUT = ((8, 8), (8, 8), (4, 4))  # what one window of 8 becomes on 16, 8 and 4 tokens


def classifier(family: str = "v1", *, crop: Size = (64, 64), **changes: object) -> Classifier:
    """For five classes and pictures of `crop` pixels."""
    fit = Preprocess.to_crop(crop=crop, resize=max(crop) + 9)
    return stirred(Classifier(small(family, **changes), LABELS, fit)).eval()


def pyramid(**changes: object) -> Pyramid:
    """Return a pyramid that gives out both stages."""
    return stirred(Pyramid(small("v1", **changes), (0, 1))).eval()


def reconstructor(family: str = "v1", **changes: object) -> nn.Module:
    """Return a masked image model."""
    return stirred(SimMIM(small(family, **changes))).eval()

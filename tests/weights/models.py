"""Whole models as the weights know them, small and stirred."""

from torch import Tensor, nn

from swinkit.core.backbone import Swin
from swinkit.heads.classify import ClassificationHead
from swinkit.heads.pyramid import Pyramid
from swinkit.tasks.simmim.model import SimMIM

from ..models.small import small, stirred

CLASSES = 5


class Whole(nn.Module):
    """A backbone and a head, and nothing that is no weight."""

    def __init__(self, backbone: Swin, num_classes: int = CLASSES):
        super().__init__()
        self.backbone = backbone
        self.head = ClassificationHead(backbone.spec.widths[-1], num_classes)

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, in_channels, *P) -> (B, K)."""
        return self.head(self.backbone(pixels)[-1])


def classifier(family: str = "v1", num_classes: int = CLASSES, **changes: object) -> Whole:
    """Return a small classifier of `family`."""
    return stirred(Whole(small(family, **changes), num_classes)).eval()


def pyramid(family: str = "v1", **changes: object) -> Pyramid:
    """Return a small pyramid that gives out every stage."""
    return stirred(Pyramid(small(family, **changes), (0, 1))).eval()


def reconstructor(family: str = "v1", **changes: object) -> SimMIM:
    """Return a small masked image model of `family`."""
    return stirred(SimMIM(small(family, **changes))).eval()


def copy_of(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of now."""
    return {name: tensor.detach().clone() for name, tensor in state.items()}

"""What a case's reference is in our terms: a model, and our tensors under the reference's names."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from swinkit.core.backbone import Swin
from swinkit.heads.pyramid import Pyramid

from .trace import Headed, Trace


def whole(pixels: Tensor) -> Tensor:
    """Most references take all pixels."""
    return pixels


@dataclass(frozen=True)
class Reference:
    """Our twin of one reference model."""

    kind: str
    model: Headed | Pyramid
    dialect: str  # how the weights' names are written (swinkit.weights)
    names: Callable[[Trace], dict[str, Tensor]]  # the outputs for one input, named and laid out as there
    prepare: Callable[[Tensor], Tensor] = whole

    @property
    def backbone(self) -> Swin:
        """The part that has the spec."""
        return self.model.backbone

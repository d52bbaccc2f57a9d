"""What a case's reference is in our terms: a model, and our tensors under the reference's names."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from swinkit.core.backbone import Swin
from swinkit.heads.pyramid import Pyramid
from swinkit.tasks.simmim.model import SimMIM
from tests.models.small import Headed

from .case import Case
from .trace import Trace


def whole(pixels: Tensor) -> Tensor:
    """Most references take all pixels."""
    return pixels


def unnamed(_found: Trace) -> dict[str, Tensor]:
    """For references that answer in their own way."""
    return {}


def as_found(found: dict[str, Tensor], _expected: dict[str, Tensor]) -> dict[str, Tensor]:
    """Most answers are right in one way only."""
    return found


@dataclass(frozen=True)
class Reference:
    """Our twin of one reference model."""

    kind: str
    model: Headed | Pyramid | SimMIM
    dialect: str  # how the weights' names are written (swinkit.weights)
    names: Callable[[Trace], dict[str, Tensor]] = unnamed  # the outputs for one input, as named and laid out
    prepare: Callable[[Tensor], Tensor] = whole
    answer: Callable[[Case], dict[str, Tensor]] | None = None  # all outputs, its own way
    settle: Callable[[dict[str, Tensor], dict[str, Tensor]], dict[str, Tensor]] = as_found  # what is as right

    @property
    def backbone(self) -> Swin:
        """The part that has the spec."""
        return self.model.backbone

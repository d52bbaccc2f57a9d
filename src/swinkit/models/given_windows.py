"""Windows that a user gives for a file which does not tell them. Torch-free."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..core.spec import Size, Spec
from ..errors import UsageError
from .families import SpecContinuous, SpecMLP

Sides = int | Sequence[int]  # of square windows in tokens: one for all stages, or one for each
LARGEST = 1024  # tokens along a side


@dataclass(frozen=True)
class GivenWindows:
    """Windows of a model of pictures, and those that it was pre-trained with; None leaves them as they are.

    Without windows of pre-training, those of a V2 are the given ones.
    """

    window: Sides | None = None
    pretrained: Sides | None = None

    def sizes(self, stages: int) -> tuple[Size, ...] | None:
        """Return the given window of each stage; None if none is given.

        Raises:
            UsageError: they are no sides of windows, or are for another number of stages.
        """
        return None if self.window is None else squares("window", self.window, stages)

    def change(self, spec: Spec) -> Spec:
        """Return `spec` with these windows.

        Raises:
            UsageError: they are no windows of such a model.
        """
        if self == NONE_GIVEN:
            return spec
        if len(spec.patch) != 2:
            raise UsageError("window can be given for models of pictures only; leave it out")
        if isinstance(spec, SpecMLP):
            raise UsageError("the windows of a Swin-MLP follow from its weights; leave window out")
        stages = len(spec.depths)
        made = replace(spec, window_sizes=self.sizes(stages) or spec.window_sizes)
        if self.pretrained is None:
            return made
        if not isinstance(made, SpecContinuous):
            raise UsageError("pretrained_window is only for V2 and Swin-MoE; leave it out")
        return replace(made, pretrained_window_sizes=squares("pretrained_window", self.pretrained, stages))


NONE_GIVEN = GivenWindows()


def squares(name: str, sides: Sides, stages: int) -> tuple[Size, ...]:
    """Return a square window for each stage; messages call the value `name`.

    Raises:
        UsageError: they are no sides of windows, or are for another number of stages.
    """
    values = tuple(sides) if isinstance(sides, Sequence) else (sides,) * stages
    whole = all(type(side) is int and 1 <= side <= LARGEST for side in values)
    if not whole or len(values) != stages:
        raise UsageError(
            f"{name} is {sides!r}; it must be a number of tokens, or one for each of {stages} stages"
        )
    return tuple((side, side) for side in values)

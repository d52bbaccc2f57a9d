"""State of a training: saved whole, and resumed to the bit on any number of processes."""

from dataclasses import dataclass
from typing import Any

import torch

from ..errors import DataError
from ..runs.checkpoints import Checkpoints
from ..runs.progress import Progress
from ..tasks.task import Task
from .ema import Average
from .muon import MATRICES
from .parallelize import gather_whole, shard_like

NAMES = "names"  # in an optimiser state: of the parameters that it numbers


@dataclass(frozen=True)
class Trained:
    """Model, optimiser, EMA and loss scaler: the tensors of a checkpoint, resumed to the bit."""

    task: Task
    optimiser: torch.optim.Optimizer
    average: Average | None
    scaler: torch.amp.GradScaler | None

    def save(self, checkpoints: Checkpoints, progress: Progress, *, writes: bool = True) -> None:
        """Write a checkpoint, the same whether weights are sharded or not. All call this; one `writes`.

        Raises:
            EnvironmentProblem: it cannot be written; the older ones are kept.
            DataError: it is not on the disk as it was written; the older ones are kept.
        """
        state: dict[str, Any] = {
            "model": self.task.state_dict(),
            "optimizer": {**self.optimiser.state_dict(), NAMES: self.names()},
        }
        if self.average is not None:
            state["model_ema"] = self.average.weights
        if self.scaler is not None:
            state["scaler"] = self.scaler.state_dict()
        state = gather_whole(state, kept=writes)
        if writes:
            checkpoints.save(state, progress)

    def resume(self, checkpoints: Checkpoints) -> Progress:
        """Take everything from the newest whole checkpoint; without one, all is at its beginning.

        Raises:
            DataError: no checkpoint is whole, or it is of another model.
        """
        found = checkpoints.newest()
        if found is None:
            return Progress()
        state, progress = found
        try:
            own = self.task.state_dict()
            self.task.load_state_dict(
                {name: shard_like(value, own.get(name, value)) for name, value in state["model"].items()}
            )
            self.take_moments(state["optimizer"])
            if self.average is not None:  # begun without: from here on
                self.average.load(state.get("model_ema", state["model"]))
            if self.scaler is not None and "scaler" in state:
                self.scaler.load_state_dict(state["scaler"])
        except (RuntimeError, ValueError, KeyError, IndexError) as error:
            raise DataError(
                f"{checkpoints.folder}: the checkpoint is of another model: {str(error).splitlines()[0]}"
            ) from None
        return progress

    def names(self) -> list[str]:
        """Return the names of the parameters, in the optimiser's order."""
        names = {parameter: name for name, parameter in self.task.named_parameters()}
        return [names[parameter] for group in self.optimiser.param_groups for parameter in group["params"]]

    def take_moments(self, saved: dict[str, Any]) -> None:
        """Load this process's part of the moments, each to the parameter of its name, in whatever groups.

        All else, such as rates and decays, stays as the recipe has it. A parameter whose moments are of
        another kind of optimiser begins without.

        Raises:
            KeyError: it is not known whose the moments are.
        """
        own, parameters = self.optimiser.state_dict(), dict(self.task.named_parameters())
        groups, before = groups_of(own), groups_of(saved)
        # Earlier versions saved no names: there the numbers tell, if the groups are still the same.
        names = self.names() if NAMES not in saved and groups == before else saved[NAMES]
        numbers, taken = {name: number for number, name in enumerate(names)}, {}
        for number, name in enumerate(self.names()):
            earlier = numbers.get(name, -1)
            if earlier in saved["state"] and before[earlier][1] == groups[number][1]:
                moments = saved["state"][earlier].items()
                taken[number] = {kind: shard_like(value, parameters[name]) for kind, value in moments}
        self.optimiser.load_state_dict({**own, "state": taken})


def groups_of(optimiser: dict[str, Any]) -> dict[int, tuple[int, bool]]:
    """Map the number of each parameter in an optimiser's state -> its group, and whether this is Muon's."""
    return {
        number: (place, group.get(MATRICES, False))
        for place, group in enumerate(optimiser["param_groups"])
        for number in group["params"]
    }

"""What is known of a file of weights beside its tensors: from the table of checkpoints, or a config.json."""

from dataclasses import dataclass
from typing import Any

from ..core.spec import Spec


@dataclass(frozen=True, kw_only=True)
class Facts:
    """None means: not known, so that the tensors, or the usual values, decide."""

    variant: str | None = None  # the name of one of `models.specs.VARIANTS`
    spec: Spec | None = None  # the architecture itself, where no variant has it
    dialect: str | None = None
    preprocess: dict[str, Any] | None = None  # fields of `data.preprocess.Preprocess`
    labels: tuple[str, ...] | None = None  # the classes' names, in order

"""Options of a prediction: the keywords of `Task.predict` and options of `swinkit predict`. Torch-free."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from ..errors import UsageError
from ..type_check import require_kinds


@dataclass(frozen=True, kw_only=True)
class PredictOptions:
    """Options of the models of one task: none, unless a subclass has fields.

    Each field has a default and, as an annotation, the words of the help.

    Raises:
        UsageError: a value has another type than its field.
    """

    def __post_init__(self) -> None:
        """Check the types of the values."""
        require_kinds(self)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the names of the options."""
        return tuple(field.name for field in fields(cls))

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Return the options with these values, and defaults for the others.

        Raises:
            UsageError: an option is unknown, or a value is not possible.
        """
        for name in values:
            if name not in cls.names():
                expected = ", ".join(cls.names()) or "none"
                raise UsageError(f"predict() got an unknown option {name!r}; expected {expected}")
        return cls(**values)

"""Options of a prediction: the keywords of `Task.predict` and options of `swinkit predict`. Torch-free."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, get_type_hints

from ..errors import UsageError, require
from ..type_check import require_kind


@dataclass(frozen=True, kw_only=True)
class PredictOptions:
    """Options of the models of one task: none, unless a subclass has fields.

    Each field has a default and an annotation, with the words of the help and perhaps `Least`.
    """


@dataclass(frozen=True)
class Least:
    """Smallest value that an option may have, in its annotation."""

    value: int


Options = TypeVar("Options", bound=PredictOptions)


def options_of(kind: type[Options], values: Mapping[str, Any]) -> Options:
    """Return the options with these values, and defaults for the others.

    Raises:
        UsageError: an option is unknown, or its value has another type than its field, or is too small.
    """
    known = get_type_hints(kind, include_extras=True)
    for name, value in values.items():
        if name not in known:
            raise UsageError(
                f"predict() got an unknown option {name!r}; expected {', '.join(known) or 'none'}"
            )
        require_kind(value, known[name].__origin__, name)
        for rule in known[name].__metadata__:
            if isinstance(rule, Least):
                require(value >= rule.value, name, value, f"{rule.value} or more")
    return kind(**values)

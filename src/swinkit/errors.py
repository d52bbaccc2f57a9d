"""The errors a user can cause, each with the exit code of the command line. Torch-free.

Every message says what is wrong, where, and what to do; what it quotes from a file is safe to print.
"""

from collections.abc import Iterable, Mapping, Set
from typing import Any, cast

TEXTS = "a list of names, such as ['cat', 'dog'], each of them text that is not empty"
LONGEST_SHOWN = 400  # characters of a name from a file
LONGEST_VALUE = 100  # characters of a user's value


class SwinkitError(Exception):
    """A user's mistake or a broken input, explained in one message; never a bug of swinkit."""

    exit_code = 1


class UsageError(SwinkitError, ValueError):
    """A wrong name, option or configuration."""

    exit_code = 2


class DataError(SwinkitError, ValueError):
    """A file or folder that cannot be read as the kind it should be."""

    exit_code = 3


class EnvironmentProblem(SwinkitError, RuntimeError):
    """An obstacle of this machine: a missing extra, or a folder that cannot be written."""

    exit_code = 4


def require(holds: bool, name: str, value: object, rule: str) -> None:
    """Check one setting, `name`, whose `value` must be as `rule` says.

    Raises:
        UsageError: unless it `holds`.
    """
    if not holds:
        raise UsageError(f"{name} is {shown(value)}; it must be {rule}")


def shown(value: object) -> str:
    """Return a user's value for a message: a short one whole, of a long text both ends, else its type."""
    text = repr(value)
    if len(text) <= LONGEST_VALUE and "\n" not in text:
        return text
    if isinstance(value, str | bytes):
        return f"{text[: LONGEST_VALUE // 2]}...{text[-LONGEST_VALUE // 2 :]}"
    return f"a {type(value).__name__}"


def require_texts(values: Any, name: str) -> tuple[str, ...]:
    """Return a list of texts, the argument `name`, as a tuple.

    Raises:
        UsageError: it is no list, or an empty one, or something in it is no text.
    """
    is_list = hasattr(values, "__len__") and not isinstance(values, str | bytes | Mapping | Set)
    require(is_list, name, values, "a list of names, such as ['cat', 'dog']")
    texts = cast("tuple[str, ...]", tuple(values))
    require(bool(texts) and all(isinstance(each, str) for each in texts), name, list(texts[:3]), TEXTS)
    return texts


def listed(names: Iterable[object], shown: int = 4) -> str:
    """Join the first few of `names`, safe to print, and the number of the others."""
    texts = [f"`{printable(name)}`" if isinstance(name, str) else str(name) for name in names]
    more = len(texts) - shown
    return ", ".join(texts[:shown]) + (f" and {more} more" if more > 0 else "")


def in_series(names: Iterable[str]) -> str:
    """Join names as in a sentence: a, b and c."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def printable(name: str) -> str:
    """Return a name from a file as it may be shown: short, and with control characters as escapes."""
    if len(name) > LONGEST_SHOWN:
        name = f"{name[: LONGEST_SHOWN // 2]}...{name[-LONGEST_SHOWN // 2 :]}"
    return escaped(name)


def escaped(text: str) -> str:
    r"""Return text with control characters as escapes (`\x1b`), so that nothing in it commands a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)

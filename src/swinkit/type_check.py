"""Type check of settings and arguments, given by people and files. Torch-free."""

from dataclasses import fields
from itertools import cycle
from numbers import Integral, Real
from os import PathLike, fspath
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from .errors import require

NUMBERS: dict[Any, Any] = {int: Integral, float: Real}  # numpy's are as good
WORDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    str: "text",
    NoneType: "None",
}


def require_kinds(settings: Any, section: str = "") -> None:
    """Check every field of a dataclass; `section`, such as "run.", goes before its name in the message.

    Raises:
        UsageError: a value of another kind than its annotation.
    """
    kinds = get_type_hints(type(settings))
    for name in (field.name for field in fields(settings)):
        value, kind = getattr(settings, name), kinds[name]
        require_kind(value, kind, f"{section}{name}")


def require_kind(value: object, kind: Any, name: str) -> None:
    """Raise UsageError unless the annotation `kind` allows the value of the argument `name`."""
    require(is_of(value, kind), name, value, in_words(kind))


def require_path(value: object, name: str) -> None:
    """Raise UsageError unless the argument `name` is a path, and not an empty one."""
    holds = isinstance(value, str | PathLike) and bool(fspath(value))
    require(holds, name, value, "a path: text that is not empty, or a Path")


def expand_home(path: str | PathLike[str]) -> Path:
    """Return a path in which `~` or `~user` at the start became a home folder, if there is one.

    Shells expand it at the start of a word only, so that `out=~/run` arrives as it was written.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:  # no such user
        return Path(path)


def is_of(value: Any, kind: Any) -> bool:
    """Return whether an annotation of literals, tuples, unions and classes allows a value."""
    inner: tuple[Any, ...] = get_args(kind)
    if get_origin(kind) is Literal:
        return value in inner
    if get_origin(kind) is tuple:
        any_length = Ellipsis in inner
        fits = isinstance(value, tuple) and (any_length or len(value) == len(inner))
        return fits and all(map(is_of, value, cycle(inner[:1]) if any_length else inner))
    if inner:
        return any(is_of(value, each) for each in inner)
    return isinstance(value, NUMBERS.get(kind, kind)) and isinstance(value, bool) == (kind is bool)


def in_words(kind: Any) -> str:
    """Return an annotation as people write it."""
    inner: tuple[Any, ...] = get_args(kind)
    if get_origin(kind) is Literal:
        return ("one of " if inner[1:] else "") + ", ".join(map(str, inner))
    if get_origin(kind) is tuple:
        if Ellipsis in inner:
            return f"a tuple, each {in_words(inner[0])}"
        return f"a tuple ({', '.join(map(in_words, inner))})"
    if inner:
        return " or ".join(map(in_words, inner))
    return WORDS.get(kind) or str(kind.__name__)

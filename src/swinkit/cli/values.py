"""Values as text on the command line: `[a,b]` or `a,b` for a tuple, `true` or `false`, `null` for None."""

from argparse import ArgumentTypeError
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

NULL = "null"
PLAIN = (int, float, str, Path)  # types whose constructors read text
BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
BRACKETS = {"[": "]", "(": ")"}
PLACEHOLDERS = {int: "N", float: "X", bool: "true|false", str: "NAME"}
WORDS = {int: "a whole number", float: "a number", bool: "true or false", NoneType: NULL}


class MissingValue(ArgumentTypeError):
    """An empty value; the message is what to give for none, if that is possible."""


@dataclass(frozen=True)
class Value:
    """The type of an option: reads text as a value of an annotation, such as `tuple[float, float] | None`.

    `length` is that of the tuple which an error message gives as an example.
    """

    kind: Any
    length: int = 1

    def __call__(self, text: str) -> Any:
        """Return the value.

        Raises:
            ArgumentTypeError: the text is empty, or no such value; argparse reports it with the option.
        """
        if not text:
            raise MissingValue(f"; {NULL} stands for none" if NoneType in get_args(self.kind) else "")
        return self.read(text, self.kind)

    def read(self, text: str, kind: Any) -> Any:
        """Return `text` as a value of `kind`; raise ArgumentTypeError if it is none."""
        if get_origin(kind) is tuple:
            return self.read_tuple(text, kind)
        if get_origin(kind) is Literal and text in get_args(kind):
            return text
        if kind is bool and text.lower() in BOOLEANS:
            return BOOLEANS[text.lower()]
        if kind is NoneType and text == NULL:
            return None
        if kind in PLAIN:
            with suppress(ValueError):
                return kind(text)
        for member in members(kind):
            if get_origin(member) is tuple and text[0] in BRACKETS:
                return self.read_tuple(text, member)
            with suppress(ArgumentTypeError):
                return self.read(text, member)
        raise ArgumentTypeError(f"must be {self.words(kind, text)}, not {text!r}")

    def read_tuple(self, text: str, kind: Any) -> tuple[Any, ...]:
        """Return `[a,b]` or `a,b` as a tuple; a lone value is refused, because its length is a guess."""
        kinds = get_args(kind)
        opened, bracketed = text[0] in BRACKETS, BRACKETS.get(text[0]) == text[-1]
        if opened != bracketed or not (bracketed or "," in text):
            raise ArgumentTypeError(f"must be {self.words(kind, text)}, not {text!r}")
        inside = text[1:-1] if bracketed else text
        items = [item.strip().strip("'\"") for item in inside.split(",")] if inside.strip() else []
        if Ellipsis in kinds:
            kinds = kinds[:1] * len(items)
        if len(items) != len(kinds):
            raise ArgumentTypeError(f"must be a list of {len(kinds)} elements, not {text!r}")
        return tuple(map(self.read, items, kinds))

    def words(self, kind: Any, text: str) -> str:
        """Describe the values of `kind`, for a message about `text`."""
        inner: tuple[Any, ...] = get_args(kind)
        if get_origin(kind) is Literal:
            return ("one of " if len(inner) > 1 else "") + ", ".join(map(repr, inner))
        if get_origin(kind) is tuple:
            length = self.length if Ellipsis in inner else len(inner)
            return f"a list, such as [{','.join([text.strip('[]()')] * length)}]"
        if inner:
            nested = any(get_origin(member) is tuple for member in inner)
            return (", or " if nested else " or ").join(self.words(member, text) for member in inner)
        return WORDS[kind]


def members(kind: Any) -> list[Any]:
    """Return the types of a union, None first, because any text is a string."""
    union = get_origin(kind) not in (tuple, Literal)
    return sorted(get_args(kind), key=lambda member: member is not NoneType) if union else []


def placeholder(kind: Any) -> str:
    """Return the placeholder of a value of `kind` in a help page, such as `N` for an int."""
    inner: list[Any] = list(get_args(kind))
    if get_origin(kind) is Literal:
        return f"{{{','.join(inner)}}}" if len(inner) > 1 else inner[0]
    if get_origin(kind) is tuple:
        kinds = ["..." if each is Ellipsis else PLACEHOLDERS.get(each, "NAME") for each in inner]
        return f"[{','.join(kinds)}]"
    if inner:
        return "|".join(placeholder(member) for member in inner if member is not NoneType)
    return PLACEHOLDERS[kind]


def text_of(value: Any) -> str:
    """Return a value as the command line takes it."""
    if isinstance(value, tuple):
        return f"[{','.join(map(text_of, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return NULL if value is None else str(value)

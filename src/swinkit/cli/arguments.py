"""Arguments of every command: argparse, with `key=value` as well, and errors of one line.

Values are text: `[a,b]` or `a,b` for a tuple, `true` or `false`, `null` for None.
"""

from argparse import (
    SUPPRESS,
    Action,
    ArgumentError,
    ArgumentParser,
    ArgumentTypeError,
    HelpFormatter,
    Namespace,
)
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any, Literal, NoReturn, get_args, get_origin

from ..errors import UsageError
from ..models.catalogue import find_nearest
from ..type_check import expand_home

MODEL = "a checkpoint's name, hf:org/name, a saved model's folder, or a file of weights of any library"
NULL = "null"
PLAIN = (int, float, str, Path)  # types whose constructors read text
BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
BRACKETS = {"[": "]", "(": ")"}
PLACEHOLDERS = {int: "N", float: "X", bool: "true|false", str: "NAME"}
WORDS = {int: "a whole number", float: "a number", bool: "true or false", NoneType: NULL}


class Parser(ArgumentParser):
    """The parser of `swinkit VERB`: wrong arguments raise instead of ending the process."""

    def __init__(self, verb: str, description: str, *, add_help: bool = True):
        super().__init__(
            prog=f"swinkit {verb}",
            description=description,
            formatter_class=Help,
            add_help=add_help,
            allow_abbrev=False,  # else `data` would stand for `data.size`
            exit_on_error=False,
        )

    def error(self, message: str) -> NoReturn:
        """Raise UsageError with the message and where the command's help is."""
        command = " ".join(word for word in self.prog.split() if "=" not in word)
        raise UsageError(f"{message}; see `{command} --help`")

    @property
    def options(self) -> dict[str, Action]:
        """The options by name, without their dashes."""
        actions = self._actions
        return {name.lstrip("-"): action for action in actions for name in action.option_strings}


class Help(HelpFormatter):
    """Help pages that show defaults and keep the paragraphs of a description apart."""

    def _get_help_string(self, action: Action) -> str | None:
        """Add the default to the words of an option that has one."""
        if action.nargs == 0 or action.default in (None, SUPPRESS):
            return action.help
        return f"{action.help} (default: {text_of(action.default).replace('%', '%%')})"

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        """Fill each paragraph by itself."""
        fill = super()._fill_text
        return "\n\n".join(fill(paragraph, width, indent) for paragraph in text.split("\n\n"))


def parse(
    parser: Parser, arguments: Sequence[str], *, assignments: bool = False, intermixed: bool = False
) -> Namespace:
    """Parse a command's arguments.

    Args:
        parser: the command's.
        arguments: the words after the command.
        assignments: whether `key=value` means `--key=value`.
        intermixed: whether options may stand between optional positional arguments.

    Raises:
        UsageError: an argument is unknown or missing, or a value has the wrong type.
    """
    words = with_dashes(arguments) if assignments else list(arguments)
    require_known_options(parser, words)
    try:
        return parser.parse_intermixed_args(words) if intermixed else parser.parse_args(words)
    except ArgumentError as error:
        parser.error(explanation(error, parser))


def split_option(name: str, metavar: str, arguments: Sequence[str]) -> tuple[str | None, list[str]]:
    """Split off one option: its value, None if it is not given, and the other arguments.

    Raises:
        UsageError: the value is missing.
    """
    parser = Parser("", "", add_help=False)
    parser.add_argument(f"--{name}", type=Value(str), metavar=metavar, dest="value")
    try:
        options, others = parser.parse_known_args(with_dashes(arguments))
    except ArgumentError as error:
        raise UsageError(explanation(error, parser)) from None
    return options.value, others


def with_dashes(arguments: Sequence[str]) -> list[str]:
    """Turn `key=value` into `--key=value`."""
    return [f"--{word}" if is_assignment(word) else word for word in arguments]


def is_assignment(word: str) -> bool:
    """Return whether a word is `key=value`, where dots may join several names to a key."""
    key, equals, _ = word.partition("=")
    return bool(equals) and all(name.isidentifier() for name in key.split("."))


def require_known_options(parser: Parser, words: Sequence[str]) -> None:
    """Raise UsageError for an unknown option, with the nearest known one."""
    known = parser.options
    for word in words:
        if word == "--":
            return
        name = word.partition("=")[0].removeprefix("--")
        if word.startswith("--") and name not in known:
            parser.error(f"unknown option {name!r}{suggestion(name, list(known))}")


def suggestion(name: str, known: Sequence[str]) -> str:
    """Return ", did you mean 'a.b'?" for the nearest known name, of which `b` alone may be given; or ""."""
    by_end = {full.rpartition(".")[2]: full for full in reversed(known)}
    whole = None if name in by_end else find_nearest(name, list(known))
    near = whole or by_end.get(find_nearest(name.rpartition(".")[2], list(by_end)) or "")
    return f", did you mean {near!r}?" if near else ""


def explanation(error: ArgumentError, parser: Parser) -> str:
    """Return in words why an option was refused."""
    if error.argument_name is None:
        return error.message
    names = error.argument_name.split("/")  # -n/--dry-run, --flip/--no-flip
    name = next((name for name in names if name.startswith("--")), names[-1]).lstrip("-")
    action, cause = parser.options[name], error.__context__
    if isinstance(cause, ArgumentTypeError) and not isinstance(cause, MissingValue):
        return f"{name} {cause}"
    if action.nargs == 0:
        return f"{name} takes no value"
    return f"{name} needs a value: --{name} {action.metavar}{cause or ''}"


def add_model_options(add: Callable[..., Action]) -> None:
    """Add the options that say how to read a file of weights; their names are those of `swinkit.load`."""
    add(
        "--variant",
        type=Value(str),
        metavar="NAME",
        help="which model a file holds, such as swinv2-t, where the file leaves it open",
    )
    sides = int | tuple[int, ...]
    for name, whose in (("--window", "of"), ("--pretrained-window", "of the pre-training of")):
        add(
            name,
            type=Value(sides, length=4),
            metavar=placeholder(sides),
            help=f"the windows {whose} a V2 whose file leaves them open: 12, or one a stage, [12,12,12,6]",
        )
    add(
        "--from",
        type=Value(str),
        metavar="DIALECT",
        dest="dialect",
        help="which library's names a file has, such as timm, where those of two fit",
    )
    add(
        "--entry",
        type=Value(str),
        metavar="NAME",
        help="which weights of a training run to read, such as model_ema",
    )
    heads = Literal["same", "mapped", "none"]
    words = "mapped: choose ImageNet-1k's classes out of a file of 22k's; none: read the backbone alone"
    add("--head", type=Value(heads), metavar=placeholder(heads), default="same", help=words)
    how = "input channels of the model; the filters of other weights are summed for 1, else repeated in turn"
    add("--channels", type=Value(int), metavar="N", help=how)


def model_options(options: Namespace) -> dict[str, Any]:
    """Return the values of `add_model_options` as arguments of `swinkit.load`."""
    names = ("variant", "window", "pretrained_window", "dialect", "entry", "head", "channels")
    return {name: getattr(options, name) for name in names}


def refuse_model_options(options: Namespace) -> None:
    """Refuse options for files of weights, because the model is built by its name, without weights.

    Raises:
        UsageError: one is given.
    """
    called = {"dialect": "from", "pretrained_window": "pretrained-window"}
    values = model_options(options).items()
    given = [called.get(name, name) for name, value in values if value not in (None, "same")]
    if given:
        raise UsageError(
            f"{options.model} is built without weights; leave out --{given[0]}, which is for files of weights"
        )


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
                return expand_home(text) if kind is Path else kind(text)
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

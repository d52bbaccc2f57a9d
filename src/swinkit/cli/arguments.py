"""How every command reads its arguments: jsonargparse, with `key=value` as well as `--key value`."""

import json
import re
from argparse import SUPPRESS, Action
from collections.abc import Sequence
from typing import Any, Literal

from jsonargparse import ArgumentError, ArgumentParser, DefaultHelpFormatter, Namespace

from ..errors import UsageError
from ..models.catalogue import did_you_mean

ASSIGNMENT = re.compile(r"^[A-Za-z_][\w.]*=")
WORDS = (  # of types of Python in a parser's messages
    (
        re.compile(r"Expected a <class 'tuple'>\. Got value: (\S+)"),
        r"Expected a list, such as [\1]. Got value: \1",
    ),
    (re.compile(r"Expected a typing\.Literal\[(.*?)\]"), r"Expected one of \1"),
)
MODEL = "a checkpoint's name, hf:org/name, a saved model's folder, or a file of weights of any library"
READING = ("--variant", "--from", "--entry", "--head")  # what `add_reading` adds; each takes a value


class Plain(DefaultHelpFormatter):
    """Help for people: the words that stand there and the default; no types of Python."""

    def _get_help_string(self, action: Action) -> str:
        """An option's words, with its default where it has one."""
        words = action.help or ""
        told = action.nargs != 0 and action.default is not None and action.default != SUPPRESS
        return f"{words} (default: {shown(action.default)})" if told else words


def shown(value: Any) -> str:
    """A default as it may be typed."""
    return value if isinstance(value, str) else json.dumps(value)


def parser(verb: str, description: str) -> ArgumentParser:
    """A parser for `swinkit VERB`; wrong arguments raise instead of ending the process."""
    return ArgumentParser(
        prog=f"swinkit {verb}",
        description=description,
        exit_on_error=False,
        default_env=False,
        formatter_class=Plain,
    )


def add_reading(reader: ArgumentParser) -> None:
    """Options that say how to read a file that does not tell all of itself."""
    add = reader.add_argument
    add(
        "--variant", metavar="NAME", help="which model a file holds, such as swinv2-t, where it does not tell"
    )
    add("--from", metavar="DIALECT", help="whose names a file has, such as timm, where two libraries' fit")
    add("--entry", metavar="NAME", help="which weights of a training run, such as model_ema")
    add(
        "--head",
        type=Literal["same", "mapped"],
        default="same",
        help="mapped: ImageNet-1k's classes out of a file of 22k's",
    )


def ways(options: Namespace) -> dict[str, Any]:
    """What the user asked for by `add_reading`, as arguments of `swinkit.load`."""
    return {
        "variant": options.variant,
        "dialect": options["from"],
        "entry": options.entry,
        "head": options.head,
    }


def parse(reader: ArgumentParser, arguments: Sequence[str], *, assignments: bool = False) -> Namespace:
    """Read a command's arguments; with `assignments`, `key=value` is taken as `--key=value`.

    Raises:
        UsageError: an unknown or missing argument or a value of the wrong type, in one line.
    """
    words = [f"--{word}" if assignments and ASSIGNMENT.match(word) else word for word in arguments]
    actions = reader._actions  # noqa: SLF001  argparse names no public way to list what a parser knows
    known = [option for action in actions for option in action.option_strings if option.startswith("--")]
    for word in words:
        option = word.split("=")[0]
        if option.startswith("--") and option != "--" and option not in known:
            wrong, names = option[2:], [name[2:] for name in known]
            raise UsageError(
                f"unknown option {wrong!r}{did_you_mean(wrong, names)}; see `{reader.prog} --help`"
            )
    try:
        return reader.parse_args(words)
    except ArgumentError as error:
        raise UsageError(f"{one_line(error)}; see `{reader.prog} --help`") from None


def one_line(error: Any) -> str:
    """A parser's message without its line breaks and indentation, and in words for people."""
    text = " ".join(str(error).split())
    for pattern, words in WORDS:
        text = pattern.sub(words, text)
    return text

"""How every command reads its arguments: jsonargparse, with `key=value` as well as `--key value`."""

import re
from collections.abc import Sequence
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser, Namespace

from ..errors import UsageError
from ..models.catalogue import did_you_mean

ASSIGNMENT = re.compile(r"^[A-Za-z_][\w.]*=")


def parser(verb: str, description: str) -> ArgumentParser:
    """A parser for `swinkit VERB`; wrong arguments raise instead of ending the process."""
    return ArgumentParser(
        prog=f"swinkit {verb}", description=description, exit_on_error=False, default_env=False
    )


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
    """A parser's message without its line breaks and indentation."""
    return " ".join(str(error).split())

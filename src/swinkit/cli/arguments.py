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
REFUSED = re.compile(  # what a parser says of a value: the key, the types that it may have, and the value
    r'Parser key "(?P<key>[^"]+)": (?:Expected an? (?P<kind>.+?)\. Got value: (?P<value>.*)'
    r"|.*? Subtypes: \[(?P<kinds>.*)\] Errors: .* Given value: ?(?P<given>.*))"
)
LIST = "<class 'tuple'>"
KINDS = {  # types of Python, as messages spell them, in words
    "<class 'int'>": "a whole number",
    "<class 'float'>": "a number",
    "<class 'bool'>": "true or false",
    "<class 'NoneType'>": "null",
    LIST: "a list",
}
LISTS = (KINDS[LIST], f"{KINDS[LIST]} or null")
CHOICES = re.compile(r"typing\.Literal\[(.*?)\]")
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
            hint = suggestion(option[2:], [name[2:] for name in known])
            raise UsageError(f"unknown option {option[2:]!r}{hint}; {helped(reader)}")
    try:
        return reader.parse_args(words)
    except ArgumentError as error:
        raise UsageError(f"{one_line(error, reader)}; {helped(reader)}") from None


def helped(reader: ArgumentParser) -> str:
    """Where a command explains itself, without what else must be told it."""
    return f"see `{' '.join(word for word in reader.prog.split() if '=' not in word)} --help`"


def suggestion(word: str, known: Sequence[str]) -> str:
    """The words ", did you mean 'a.b'?" for the nearest known name; of `a.b`, `b` alone may stand there."""
    last = {name.rpartition(".")[2]: name for name in reversed(known)}
    whole, end = did_you_mean(word, list(known)), word.rpartition(".")[2]
    if whole and word not in last:
        return whole
    part = did_you_mean(end, list(last))
    return part.replace(part.split("'")[1], last[part.split("'")[1]]) if part else ""


def one_line(error: Any, reader: ArgumentParser) -> str:
    """A parser's message without its line breaks and indentation, and in words for people."""
    text = " ".join(str(error).split())
    found = REFUSED.fullmatch(text)
    if found is None:
        return text
    value = found["given"] if found["value"] is None else found["value"]
    wanted = in_words(found["kinds"] or found["kind"])
    default: Any = reader.get_default(found["key"])
    example = ""
    if wanted in LISTS and value and default is not None:  # else nobody knows how long a list it is
        example = f", such as [{','.join([value] * max(len(default), 1))}]"
    return f"{found['key']} must be {wanted}{example}, not {value!r}"


def in_words(kinds: str) -> str:
    """The types that a value may have, as a message spells them."""
    kinds = CHOICES.sub(lambda found: "one of " + found[1] if "," in found[1] else found[1], kinds)
    if kinds.startswith("one of"):
        return kinds
    plain = re.sub(r"tuple\[.*?\]", LIST, kinds)
    plain = re.sub(r"^tuple with", "a list of", plain)
    return " or ".join(KINDS.get(kind, kind) for kind in plain.split(", "))

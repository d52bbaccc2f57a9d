"""Rules of a dialect: how tensors under other names become tensors under ours, and back.

A rule only plans. Given names, it lists those that it takes, those that it gives, and how the values
change; so one plan serves to detect a dialect from names alone, to read a file, and to write one. Every rule
undoes itself exactly.

In a pattern `{i}` stands for a number, `{2i+1}` for the same number changed, `*` for one part of a name
(`weight`), `**` for all remaining parts.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache

from torch import Tensor

from ..core.spec import Spec

# None in what it makes: of these tensors there is no such one.
Convert = Callable[[Sequence[Tensor], Spec | None], Sequence[Tensor | None]]
Values = dict[str, int | str]

NUMBER = "(?:0|[1-9][0-9]{0,2})"  # of a stage, block or expert; longer ones are no Swin's
PLACEHOLDER = re.compile(r"\{(\d*)([a-z])([+-]\d+)?\}|(\*\*?)")


@dataclass(frozen=True)
class Pattern:
    """Family of names, written with placeholders."""

    text: str

    def match(self, name: str) -> Values | None:
        """Return the values of the placeholders in `name`; None if it is no name of this family."""
        expression, changes = pieces(self.text)
        found = expression.fullmatch(name)
        if found is None:
            return None
        values: Values = dict(found.groupdict())
        for letter, (factor, offset) in changes.items():
            number = int(found[letter]) - offset
            if number < 0 or number % factor:
                return None
            values[letter] = number // factor
        return values

    def fill(self, values: Values) -> str:
        """Return the name with these values. Inverse of `match`."""

        def value(found: re.Match[str]) -> str:
            factor, letter, offset, rest = found.groups()
            return str(values["rest"] if rest else int(factor or 1) * int(values[letter]) + int(offset or 0))

        return PLACEHOLDER.sub(value, self.text)


@cache
def pieces(text: str) -> tuple[re.Pattern[str], dict[str, tuple[int, int]]]:
    """Return a pattern's regular expression, and for each letter the factor and the offset of its number."""
    expression, changes, end = "", {}, 0
    for found in PLACEHOLDER.finditer(text):
        factor, letter, offset, rest = found.groups()
        expression += re.escape(text[end : found.start()])
        if rest:
            expression += "(?P<rest>.+)" if rest == "**" else "(?P<rest>[^.]+)"
        else:
            expression += f"(?P<{letter}>{NUMBER})"
            changes[letter] = (int(factor or 1), int(offset or 0))
        end = found.end()
    return re.compile(expression + re.escape(text[end:])), changes


@dataclass(frozen=True)
class Move:
    """One step of a plan: the tensors `taken` become the tensors `given`."""

    taken: tuple[str, ...]
    given: tuple[str, ...]
    convert: Convert


def unchanged(tensors: Sequence[Tensor], _spec: Spec | None) -> Sequence[Tensor]:
    """Return the values unchanged."""
    return tensors


class Rule(ABC):
    """Plan between their names and ours; `apply` and `invert` undo each other."""

    @abstractmethod
    def apply(self, names: Collection[str]) -> list[Move]:
        """Plan the moves of those of their `names` that this rule knows."""

    @abstractmethod
    def invert(self, names: Collection[str]) -> list[Move]:
        """Plan the moves of those of our `names` that this rule knows."""


@dataclass(frozen=True)
class Rename(Rule):
    """Rule that renames one tensor."""

    theirs: str
    ours: str

    def apply(self, names: Collection[str]) -> list[Move]:
        """Plan their names -> ours."""
        return renames(Pattern(self.theirs), Pattern(self.ours), names, unchanged)

    def invert(self, names: Collection[str]) -> list[Move]:
        """Plan our names -> theirs."""
        return renames(Pattern(self.ours), Pattern(self.theirs), names, unchanged)


@dataclass(frozen=True)
class Reshape(Rule):
    """Rule that renames and rearranges one tensor: `into` ours, `back` to theirs."""

    theirs: str
    ours: str
    into: Callable[[Tensor, Spec | None], Tensor]
    back: Callable[[Tensor], Tensor]

    def apply(self, names: Collection[str]) -> list[Move]:
        """Plan their names -> ours."""
        return renames(
            Pattern(self.theirs), Pattern(self.ours), names, lambda x, spec: [self.into(x[0], spec)]
        )

    def invert(self, names: Collection[str]) -> list[Move]:
        """Plan our names -> theirs."""
        return renames(Pattern(self.ours), Pattern(self.theirs), names, lambda x, _: [self.back(x[0])])


@dataclass(frozen=True)
class Together(Rule):
    """Rule for tensors that only make sense together: `theirs` become `ours` by `into`, and return by `back`.

    Planned where all of them are, and (for reading) where their tensor `beside` is, which stays as it is.
    The first pattern of each side gives the values of the placeholders.
    """

    theirs: tuple[str, ...]
    ours: tuple[str, ...]
    into: Convert
    back: Convert
    beside: str | None = None

    def apply(self, names: Collection[str]) -> list[Move]:
        """Plan their names -> ours."""
        return together(self.theirs, self.ours, names, self.into, self.beside)

    def invert(self, names: Collection[str]) -> list[Move]:
        """Plan our names -> theirs."""
        return together(self.ours, self.theirs, names, self.back)


@dataclass(frozen=True)
class LastStage(Rule):
    """Rule for a tensor that bears the number of the last stage there, and no number here.

    The stages are counted by their blocks, so it is first among its dialect's rules.
    """

    theirs: str
    ours: str
    their_blocks: str
    our_blocks: str

    def apply(self, names: Collection[str]) -> list[Move]:
        """Plan their names -> ours."""
        last = last_stage(Pattern(self.their_blocks), names)
        source = Pattern(self.theirs)
        numbered = [name for name in names if (values := source.match(name)) and values["i"] == last]
        return renames(source, Pattern(self.ours), numbered, unchanged)

    def invert(self, names: Collection[str]) -> list[Move]:
        """Plan our names -> theirs."""
        last, ours = last_stage(Pattern(self.our_blocks), names), Pattern(self.ours)
        if last is None:
            return []
        found = [(name, values) for name in names if (values := ours.match(name)) is not None]
        return [
            Move((name,), (Pattern(self.theirs).fill({**values, "i": last}),), unchanged)
            for name, values in found
        ]


def renames(source: Pattern, target: Pattern, names: Collection[str], convert: Convert) -> list[Move]:
    """Return a move for each of `names` that `source` knows."""
    found = [(name, source.match(name)) for name in names]
    return [Move((name,), (target.fill(values),), convert) for name, values in found if values is not None]


def together(
    sources: Sequence[str],
    targets: Sequence[str],
    names: Collection[str],
    convert: Convert,
    beside: str | None = None,
) -> list[Move]:
    """Return a move for each set of `names` that makes all of `sources`."""
    first, moves, known = Pattern(sources[0]), [], set(names)
    for name in names:
        values = first.match(name)
        if values is None:
            continue
        taken = tuple(Pattern(source).fill(values) for source in sources)
        needed = taken if beside is None else (*taken, Pattern(beside).fill(values))
        if known.issuperset(needed):
            moves.append(Move(taken, tuple(Pattern(target).fill(values) for target in targets), convert))
    return moves


def last_stage(blocks: Pattern, names: Collection[str]) -> int | None:
    """Return the highest number of a stage; None if there is no block."""
    return max((int(values["i"]) for name in names if (values := blocks.match(name))), default=None)

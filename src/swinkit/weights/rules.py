"""The small rules of a dialect: how tensors under others' names become tensors under ours, and back.

A rule only plans. Given names it says which of them it takes, which names it gives and how the values
change; so one plan serves to detect a dialect from names alone, to read a file, and to write one.
Every rule undoes itself exactly.

In a pattern `{i}` stands for a number, `{2i+1}` for the same number changed, `*` for one part of a
name (`weight`), `**` for all that is left of it.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ..core.spec import Spec

State = dict[str, Tensor]
Convert = Callable[[Sequence[Tensor], Spec | None], Sequence[Tensor]]
Values = dict[str, int | str]

NUMBER = "(?:0|[1-9][0-9]*)"
PLACEHOLDER = re.compile(r"\{(\d*)([a-z])([+-]\d+)?\}|(\*\*?)")


@dataclass(frozen=True)
class Pattern:
    """A family of names, written with placeholders."""

    text: str

    @cached_property
    def _pieces(self) -> tuple[re.Pattern[str], dict[str, tuple[int, int]]]:
        """The regular expression, and for each letter the factor and the offset of its number."""
        expression, changes, end = "", {}, 0
        for found in PLACEHOLDER.finditer(self.text):
            factor, letter, offset, rest = found.groups()
            expression += re.escape(self.text[end : found.start()])
            if rest:
                expression += "(?P<rest>.+)" if rest == "**" else "(?P<rest>[^.]+)"
            else:
                expression += f"(?P<{letter}>{NUMBER})"
                changes[letter] = (int(factor or 1), int(offset or 0))
            end = found.end()
        return re.compile(expression + re.escape(self.text[end:])), changes

    def match(self, name: str) -> Values | None:
        """The values of the placeholders in `name`; None if it is no name of this family."""
        expression, changes = self._pieces
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
        """The name with these values. Inverse of `match`."""

        def value(found: re.Match[str]) -> str:
            factor, letter, offset, rest = found.groups()
            return str(values["rest"] if rest else int(factor or 1) * int(values[letter]) + int(offset or 0))

        return PLACEHOLDER.sub(value, self.text)


@dataclass(frozen=True)
class Move:
    """One step of a plan: the tensors `taken` become the tensors `given`."""

    taken: tuple[str, ...]
    given: tuple[str, ...]
    convert: Convert


def unchanged(tensors: Sequence[Tensor], _spec: Spec | None) -> Sequence[Tensor]:
    """The values as they are."""
    return tensors


class Rule(ABC):
    """Plans between their names and ours; `apply` and `invert` undo each other."""

    @abstractmethod
    def apply(self, names: Collection[str]) -> list[Move]:
        """What to do with those of their `names` that this rule knows."""

    @abstractmethod
    def invert(self, names: Collection[str]) -> list[Move]:
        """What to do with those of our `names` that this rule knows."""


@dataclass(frozen=True)
class Rename(Rule):
    """One tensor, another name."""

    theirs: str
    ours: str

    def apply(self, names: Collection[str]) -> list[Move]:
        """Theirs -> ours."""
        return renames(Pattern(self.theirs), Pattern(self.ours), names, unchanged)

    def invert(self, names: Collection[str]) -> list[Move]:
        """Ours -> theirs."""
        return renames(Pattern(self.ours), Pattern(self.theirs), names, unchanged)


@dataclass(frozen=True)
class Reshape(Rule):
    """One tensor, another name and another arrangement of the same values: `into` ours, `back` to theirs."""

    theirs: str
    ours: str
    into: Callable[[Tensor, Spec | None], Tensor]
    back: Callable[[Tensor], Tensor]

    def apply(self, names: Collection[str]) -> list[Move]:
        """Theirs -> ours."""
        return renames(
            Pattern(self.theirs), Pattern(self.ours), names, lambda x, spec: [self.into(x[0], spec)]
        )

    def invert(self, names: Collection[str]) -> list[Move]:
        """Ours -> theirs."""
        return renames(Pattern(self.ours), Pattern(self.theirs), names, lambda x, _: [self.back(x[0])])


@dataclass(frozen=True)
class KeylessBias(Rule):
    """(3 * C) of q, k, v <-> (C) of q and (C) of v, in attention that gives k no bias (V2).

    Only where the tensor `beside` tells that it is such attention. The k third is written as zeros and
    not read: no library that stores it uses it.
    """

    theirs: str
    beside: str
    ours: tuple[str, str]

    def apply(self, names: Collection[str]) -> list[Move]:
        """Theirs -> ours: split."""
        moves = []
        for name in names:
            values = Pattern(self.theirs).match(name)
            if values is not None and Pattern(self.beside).fill(values) in names:
                moves.append(
                    Move((name,), tuple(Pattern(part).fill(values) for part in self.ours), without_k)
                )
        return moves

    def invert(self, names: Collection[str]) -> list[Move]:
        """Ours -> theirs: join."""
        q, v = (Pattern(part) for part in self.ours)
        found = [
            values for name in names if (values := q.match(name)) is not None and v.fill(values) in names
        ]
        return [
            Move((q.fill(values), v.fill(values)), (Pattern(self.theirs).fill(values),), with_k)
            for values in found
        ]


def renames(source: Pattern, target: Pattern, names: Collection[str], convert: Convert) -> list[Move]:
    """A move for each of `names` that `source` knows."""
    found = [(name, source.match(name)) for name in names]
    return [Move((name,), (target.fill(values),), convert) for name, values in found if values is not None]


def without_k(tensors: Sequence[Tensor], _spec: Spec | None) -> Sequence[Tensor]:
    """[(3 * C)] -> [(C), (C)]."""
    (bias,) = tensors
    third = bias.numel() // 3
    return bias.flatten()[:third].clone(), bias.flatten()[2 * third :].clone()


def with_k(tensors: Sequence[Tensor], _spec: Spec | None) -> Sequence[Tensor]:
    """[(C), (C)] -> [(3 * C)]."""
    q, v = tensors
    return [torch.cat([q, torch.zeros_like(q), v])]

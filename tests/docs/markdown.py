"""The examples of a Markdown page, as CONTRIBUTING.md describes them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TIMING = re.compile(r"\d[\d.,]*(?= ?(?:ms|s|images/s)\b)")


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, its text, and the line of the page on which the text begins, from 1."""

    language: str
    text: str
    line: int


@dataclass(frozen=True)
class Command:
    """One `$ command` of a console block and the output shown below it."""

    words: str
    output: str

    @property
    def fails(self) -> bool:
        """Whether the page says that the command ends with an error."""
        return any(line.startswith("error: ") for line in self.output.splitlines())


def pages() -> list[Path]:
    """Return the README and the pages of docs/."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(text: str) -> Iterator[Block]:
    """Yield the fenced blocks of a page that name a language, in order."""
    for match in FENCE.finditer(text):
        yield Block(match[1], match[2], text.count("\n", 0, match.start(2)) + 1)


def commands(text: str) -> Iterator[Command]:
    """Yield the commands of a console block, lines that end in a backslash joined."""
    for part in re.split(r"^\$ ", text.replace("\\\n", " "), flags=re.MULTILINE)[1:]:
        words, _, output = part.partition("\n")
        yield Command(words, output.strip("\n"))


def without_timings(text: str) -> str:
    """Return the text with 0 for every number that is a time or a rate, since they differ from run to run."""
    return TIMING.sub("0", text)

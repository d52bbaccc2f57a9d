"""The folder that `swinkit predict --save` fills: a picture for each answer, and `predictions.jsonl`."""

import json
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ..errors import EnvironmentProblem
from ..files.atomic import replace_file
from .console import note

if TYPE_CHECKING:
    from ..tasks.results import Result

ROWS = "predictions.jsonl"
SUFFIX = ".jpg"
LONGEST = 180  # bytes of a name; file systems allow 255, endings included


class OutputFolder:
    """A folder of pictures and rows; only what an earlier run wrote there is overwritten.

    Pictures of the same name are numbered. `predictions.jsonl` is replaced when all is done. A run that is
    stopped leaves the earlier one as it was, and has its own rows in `predictions.jsonl.partial`.

    Raises:
        EnvironmentProblem: on entering or writing, the folder or a file in it cannot be written.
    """

    def __init__(self, folder: Path, inputs: Iterable[Path]):
        self.folder = folder
        self.partial = folder / f"{ROWS}.partial"
        self.inputs = inputs
        self.taken: set[str] = set()
        self.numbers: dict[str, int] = {}

    def __enter__(self) -> Self:
        """Make the folder and open the file of rows."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.rows = self.partial.open("w", encoding="utf-8")
            present = {path.name.casefold() for path in self.folder.iterdir()}
        except OSError as error:
            raise self.problem(error) from None
        here = self.folder.resolve()
        read = {path.name.casefold() for path in self.inputs if path.parent.resolve() == here}
        self.taken = (present - earlier_pictures(self.folder / ROWS)) | read
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Replace the earlier rows, or say where the rows of a stopped run are."""
        try:
            self.rows.close()
            if kind is None:
                replace_file(self.partial, self.folder / ROWS)
            elif self.partial.stat().st_size:
                note(f"stopped; what was done until then is in {self.partial}")
            else:
                self.partial.unlink()
        except OSError as problem:
            raise self.problem(problem) from None

    def add(self, result: "Result") -> dict[str, Any]:
        """Save one result, and return its row, in which `overlay` is the name of its picture."""
        name = self.free_name(result.name)
        result.save(self.folder / name)
        row = {**result.to_json(), "overlay": name}
        try:
            self.rows.write(json.dumps(row) + "\n")
            self.rows.flush()
        except OSError as error:
            raise self.problem(error) from None
        return row

    def free_name(self, source: str) -> str:
        """Return the source's name with another ending, numbered if it is taken."""
        stem = Path(source).stem.encode("utf-8", "ignore")[:LONGEST].decode("utf-8", "ignore") or "image"
        name = f"{stem}{SUFFIX}"
        while name.casefold() in self.taken:
            self.numbers[stem] = self.numbers.get(stem, 1) + 1
            name = f"{stem}-{self.numbers[stem]}{SUFFIX}"
        self.taken.add(name.casefold())
        return name

    def problem(self, error: OSError) -> EnvironmentProblem:
        """Return the error as one that a user can act on."""
        return EnvironmentProblem(f"{self.folder}: cannot write into this folder: {error.strerror or error}")


def earlier_pictures(rows: Path) -> set[str]:
    """Return the names of the pictures that an earlier run wrote, which a later run may replace."""
    try:
        with rows.open(encoding="utf-8") as lines:
            return {str(json.loads(line)["overlay"]).casefold() for line in lines}
    except (OSError, ValueError, LookupError, TypeError):  # none, or not ours: then nothing may be replaced
        return set()

"""Number of files that a prediction and a tiny training enter: `python -m benchmarks.walk PICTURE DATA`.

A file is entered when one of its functions is called, and crossed to when the caller is in another file.
What runs while a module is imported is not counted. PICTURE is any picture, DATA a folder with a few of them
in train/CLASS and val/CLASS.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import CodeType, FrameType

import swinkit
from swinkit.cli.main import main

PACKAGE = Path(swinkit.__file__).parent


@dataclass
class Walk:
    """The files entered, in order, and the calls from one to another."""

    files: dict[str, None] = field(default_factory=dict)
    functions: set[CodeType] = field(default_factory=set)
    crossings: int = 0

    def note(self, frame: FrameType, event: str, argument: object) -> None:  # noqa: ARG002
        """Count one call; a profile function of `sys.setprofile`."""
        path = frame.f_code.co_filename
        if event != "call" or not path.startswith(str(PACKAGE)):
            return
        ours = [each for each in callers(frame) if each.co_filename.startswith(str(PACKAGE))]
        if any(code.co_name == "<module>" for code in ours):
            return
        self.crossings += len(ours) < 2 or ours[1].co_filename != path
        self.files[path] = None
        self.functions.add(frame.f_code)

    def __str__(self) -> str:
        """Return the counts in one line."""
        lines = sum(len(Path(path).read_text().splitlines()) for path in self.files)
        run = sum(len({line for *_, line in code.co_lines() if line}) for code in self.functions)
        counts = f"{len(self.files)} files, {lines} lines in them, {run} in functions that ran"
        return f"{counts}, {self.crossings} crossings"


def callers(frame: FrameType | None) -> Iterator[CodeType]:
    """Yield the code of a frame and of those that called it, the latest first."""
    while frame is not None:
        yield frame.f_code
        frame = frame.f_back


@contextmanager
def trace_files() -> Iterator[Walk]:
    """Profile the block; yield its walk."""
    walk = Walk()
    sys.setprofile(walk.note)
    try:
        yield walk
    finally:
        sys.setprofile(None)


def report(picture: str, data: str) -> None:
    """Walk through both commands and print the counts, and the files of the prediction."""
    with trace_files() as walk:
        main(["predict", picture])
    print(f"predict: {walk}", *(Path(path).relative_to(PACKAGE) for path in walk.files), sep="\n  ")
    with TemporaryDirectory() as out:
        tiny = ["run.batch_size=8", "schedule.epochs=1", "schedule.warmup_epochs=0"]
        with trace_files() as walk:
            main(["train", "cifar10-swin-pico", f"data={data}", f"out={out}/run", *tiny])
    print(f"train: {walk}")


if __name__ == "__main__":
    report(*sys.argv[1:3])

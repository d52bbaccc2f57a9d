"""What `swinkit predict` reads and answers: pictures that names lead to, a batch of them at a time."""

from collections.abc import Sequence
from pathlib import Path

from ..data.paths import find_images
from ..errors import DataError
from .console import complain


def find_all(names: Sequence[str], save: Path | None) -> tuple[list[Path], int]:
    """Every picture that the names lead to, once; and how many names led to none, with a line for each."""
    found: list[Path] = []
    missing = 0
    for name in names:
        try:
            inside = find_images(name)
            if save is not None and not is_below(
                Path(name), save
            ):  # an earlier run's answers are no pictures
                inside = [path for path in inside if not is_below(path, save)]
            if not inside:
                raise DataError(f"{name}: no pictures but those in {save}")
            found += inside
        except DataError as error:
            complain(error)
            missing += 1
    return list(dict.fromkeys(found)), missing


def is_below(path: Path, folder: Path) -> bool:
    """Whether `path` is `folder` or lies in it."""
    return path.resolve().is_relative_to(folder.resolve())

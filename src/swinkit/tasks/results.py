"""Results of models, in the user's units: values that print, draw and save themselves."""

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from ..errors import UsageError
from ..files.atomic import atomic_write
from ..type_check import expand_home


@dataclass(frozen=True, kw_only=True)
class Result(ABC):
    """Answer of a task about one picture."""

    name: str  # the file's path as it was given, else "image"
    size: tuple[int, int]  # (height, width) of the original, upright, in pixels
    seconds: float = field(default=0.0, repr=False, compare=False)  # for reading and answering

    def to_json(self) -> dict[str, Any]:
        """Return `name`, and `image` with `width` and `height` in pixels."""
        height, width = self.size
        return {"name": self.name, "image": {"width": width, "height": height}}

    @abstractmethod
    def plot(self) -> Image.Image:
        """Draw the answer, as an RGB picture."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `plot()` as a .png, .jpg, .webp, .bmp or .tiff; the file is either whole or not there.

        Raises:
            UsageError: another ending.
            EnvironmentProblem: the file cannot be written.
        """
        save_picture(self.plot(), expand_home(path))


def save_picture(picture: Image.Image, path: Path) -> None:
    """Write a picture beside its place, then move it there.

    Raises:
        UsageError: the ending names no format for pictures.
        EnvironmentProblem: the file cannot be written.
    """
    formats = {
        ".png": "PNG",
        ".jpg": "JPEG",
        ".jpeg": "JPEG",
        ".webp": "WEBP",
        ".bmp": "BMP",
        ".tif": "TIFF",
        ".tiff": "TIFF",
    }
    chosen = formats.get(path.suffix.lower())
    if chosen is None:
        raise UsageError(f"{path}: unknown ending {path.suffix!r} (known: {', '.join(formats)})")
    with atomic_write(path, durable=False) as partial:
        picture.save(partial, chosen, quality=92)

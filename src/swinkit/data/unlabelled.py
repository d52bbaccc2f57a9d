"""Find the splits of a data set without classes, from which `swinkit pretrain` learns, to check them."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from zipfile import is_zipfile

from ..errors import DataError
from . import folders
from .arrays import ArrayDataset, array_shape, is_array
from .channels import Channels
from .dataset import ALL, ImageDataset
from .find_dataset import RGB, find_pictures


def find_unlabelled(path: Path, splits: Sequence[str], channels: Channels | None) -> list[ImageDataset]:
    """Find arrays, or without them pictures of these channels, in each split that exists, else in all.

    Without `channels`, arrays alone are found, and their channels follow from the first of them.

    Raises:
        DataError: there are pictures in none, or the first array cannot be read.
    """
    inside = folders.list_names(path) if path.is_dir() or is_zipfile(path) else []  # not of a list
    names = sorted(filter(is_array, inside))
    if names:
        axes, expected = expected_of(path, names[0], channels)
        found = [folders.files_of_split((split,), names) for split in splits]
        chosen = [each for each in found if each[0] != ALL] or [(ALL, names)]
        return [
            ArrayDataset(path, split, folders.content_of(path, files), axes=axes, channels=expected)
            for split, files in chosen
        ]
    if channels is None:
        return []
    stored = None if channels.count == RGB else channels
    pictures = [find_pictures(path, split) for split in splits]
    chosen = [found for found in pictures if found.split != ALL] or pictures[:1]
    return [replace(found, stored=stored, labels=None, classes=()) for found in chosen]


def expected_of(path: Path, name: str, channels: Channels | None) -> tuple[int, Channels]:
    """Return the axes of an array, and its channels unless they are given.

    Raises:
        DataError: the array cannot be read.
    """
    content = folders.content_of(path, [name])
    shape = array_shape(content.read(0), content.place(0))
    count = channels.count if channels else shape[-1] if len(shape) > 2 else 1
    axes = len(shape) if count == 1 and shape[-1:] != (1,) else len(shape) - 1
    if axes not in (2, 3):
        raise DataError(
            f"{content.place(0)}: holds an array of shape {shape}; pictures are (height, width, channels), "
            "clips and volumes (frames, height, width, channels)"
        )
    # Without the recipe's spread only NaN and infinity are known to be unusable.
    return axes, channels or Channels((0.0,) * count, (math.inf,) * count)

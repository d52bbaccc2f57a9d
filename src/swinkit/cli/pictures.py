"""What `swinkit predict` reads and answers: pictures that names lead to, a batch of them at a time."""

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from ..data.images import ImageError, load_image
from ..data.paths import find_images
from ..errors import DataError
from ..tasks.classification.model import Classifier
from ..tasks.results import Classification
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


def answers(
    model: Classifier, paths: Iterable[Path], top: int, batch_size: int
) -> Iterator[tuple[Classification, float]]:
    """Each result with the seconds that reading and answering took; an error line for what cannot be read."""
    remaining = iter(paths)
    while batch := list(islice(remaining, batch_size)):
        images, names, seconds = [], [], []
        for path in batch:
            began = time.perf_counter()
            try:
                images.append(load_image(path))
            except ImageError as error:
                complain(error)
                continue
            names.append(str(path))
            seconds.append(time.perf_counter() - began)
        if images:
            began = time.perf_counter()
            results = model.answer(images, names, top=top)
            share = (time.perf_counter() - began) / len(images)
            yield from zip(results, (reading + share for reading in seconds), strict=True)

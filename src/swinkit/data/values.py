"""Several values of a whole picture, read from the text of its label: classes that it shows, or numbers.

A label is a list of parts, such as `cat;dog` or `age=25;height=1.8`. A list without a column `label` has a
column for each value instead. Shapes: N samples, K values, T different texts.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..errors import DataError, listed, printable
from .dataset import Dataset, ImageDataset
from .sample import LABEL

SEPARATOR = ";"
SHOWN = {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True}


@dataclass(frozen=True, kw_only=True)
class ValueDataset(Dataset):
    """The samples of `images` with `values` (N, K) float32 each, which `classes` name."""

    images: ImageDataset
    values: Tensor

    def read_image(self, index: int) -> Tensor:
        """Read one image as `images` does: (C, h, w).

        Raises:
            ImageError: it cannot be read.
        """
        return self.images.read_image(index)

    def target(self, index: int) -> Mapping[str, Any]:
        """Return {"label": (K,) float32}."""
        return {LABEL: self.values[index]}

    def annotation(self, index: int) -> object:
        """Return the values."""
        return self.values[index].tolist()

    def counts(self) -> Tensor:
        """Return the number of images that show each class: (K,)."""
        return (self.values > 0.5).sum(0)


def read_label_sets(samples: ImageDataset, classes: Sequence[str] | None = None) -> ValueDataset:
    """Return the same samples with 1 for each class that a picture shows, else 0; `classes` orders them.

    Raises:
        DataError: a value is neither 0 nor 1, or a class is not among `classes`.
    """
    rows = [dict(shown_of(part, text, samples) for part in split(text)) for text in samples.classes]
    known = tuple(sorted({name for row in rows for name in row}) if classes is None else classes)
    strange = [
        (text, name)
        for text, row in zip(samples.classes, rows, strict=True)
        for name in row
        if name not in known
    ]
    if strange:
        text, name = strange[0]
        raise DataError(
            f"{where_is(text, samples)}: the class `{printable(name)}` is unknown (known: "
            f"{listed(known, 20)}); correct it, or take the picture out"
        )
    if not known:
        raise DataError(f"{samples.root}: no picture of {samples.split} shows a class; label some")
    return with_values(samples, known, ([float(row.get(name, False)) for name in known] for row in rows))


def read_numbers(samples: ImageDataset, names: Sequence[str] | None = None) -> ValueDataset:
    """Return the same samples with the numbers of their labels; `names` are those of an earlier reading.

    Raises:
        DataError: a number is missing, not finite or none, or the names differ.
    """
    assert samples.labels is not None
    parts = {text: enumerate(split(text)) for text in samples.classes}
    rows = [dict(number_of(part, i, text, samples) for i, part in parts[text]) for text in samples.classes]
    known = tuple(rows[int(samples.labels[0])] if names is None else names)
    for text, row in zip(samples.classes, rows, strict=True):
        if not row or set(row) != set(known):
            raise DataError(
                f"{where_is(text, samples)}: the label `{printable(text)}` has not the numbers "
                f"{listed(known, 20)}; give each picture all of them, once"
            )
    return with_values(samples, known, ([row[name] for name in known] for row in rows))


def split(text: str) -> list[str]:
    """Return the parts of a label."""
    return [part.strip() for part in text.split(SEPARATOR) if part.strip()]


def shown_of(part: str, text: str, samples: ImageDataset) -> tuple[str, bool]:
    """Return the class of a part of a label, and whether the picture shows it: `cat`, `cat=1`, `cat=0`."""
    name, stated, value = part.rpartition("=")
    if not stated:
        return part, True
    if value.strip().lower() not in SHOWN:
        raise DataError(
            f"{where_is(text, samples)}: `{printable(part)}` must be 0 or 1, or the name of a class; "
            "correct it"
        )
    return name.strip(), SHOWN[value.strip().lower()]


def number_of(part: str, place: int, text: str, samples: ImageDataset) -> tuple[str, float]:
    """Return the name and the value of a part of a label: `age=25`, or `25`, which is called by its place."""
    name, stated, value = part.rpartition("=")
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DataError(f"{where_is(text, samples)}: `{printable(part)}` is no finite number; correct it")
    return (name.strip() if stated else f"value {place + 1}" if SEPARATOR in text else "value"), number


def where_is(text: str, samples: ImageDataset) -> str:
    """Return the data set and the first picture that has this label."""
    assert samples.labels is not None
    first = int((samples.labels == samples.classes.index(text)).nonzero()[0])
    return f"{samples.root}: {listed([samples.ids[first]])}"


def with_values(samples: ImageDataset, names: tuple[str, ...], rows: Iterable[list[float]]) -> ValueDataset:
    """Return the samples with the row of values (K,) of each text, T of them."""
    table = torch.tensor(list(rows), dtype=torch.float32)
    values = table[samples.labels]
    return ValueDataset(samples.root, samples.split, samples.content, names, images=samples, values=values)

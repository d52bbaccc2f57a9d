"""Small data sets for tests: pictures that tell their own number."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from datasets import Dataset

NAMES = ("cat", "dog")


def numbered(root: Path, count: int, split: str = "train", classes: int = 2, side: int = 8) -> Path:
    """`count` pictures of some classes in turn; the red of a picture is its number."""
    for i in range(count):
        folder = root / split / f"class{i % classes}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{i:03}.png").write_bytes(picture(i, side))
    return root


def of_two_greys(
    root: Path,
    *,
    counts: Mapping[str, int] = MappingProxyType({"train": 4, "val": 4}),
    greys: Mapping[str, int] = MappingProxyType({"black": 5, "white": 250}),
) -> Path:
    """Write as many pictures of each class as `counts` says of a split, each lighter than the last."""
    for split, count in counts.items():
        for name, grey in greys.items():
            (root / split / name).mkdir(parents=True)
            for i in range(count):
                Image.new("RGB", (33, 32), (grey + i,) * 3).save(root / split / name / f"{i}.png")
    return root


def picture(number: int, side: int = 8) -> bytes:
    """Return a PNG whose red is its number."""
    content = io.BytesIO()
    Image.new("RGB", (side, side), (number, 0, 0)).save(content, "PNG")
    return content.getvalue()


def table(
    count: int,
    *,
    first: int = 0,
    side: int = 8,
    names: Sequence[str] = NAMES,
    labels: Sequence[int | None] | None = None,
    replaced: Mapping[int, bytes | None] | None = None,
) -> "Dataset":
    """Return a Hugging Face dataset of `count` such pictures, from number `first` on, of `names` in turn."""
    from datasets import ClassLabel, Dataset, Features, Image

    contents = {i: picture(first + i, side) for i in range(count)} | dict(replaced or {})
    pictures = [
        None if content is None else {"bytes": content, "path": None} for content in contents.values()
    ]
    values = labels or [i % len(names) for i in range(count)]
    kinds = Features({"image": Image(), "label": ClassLabel(names=list(names))})
    return Dataset.from_dict({"image": pictures, "label": list(values)}, features=kinds)


def saved_tables(root: Path, splits: Mapping[str, int], **settings: object) -> Path:
    """Return a DatasetDict of so many such pictures in each split, saved to `root`; no two are alike."""
    from datasets import DatasetDict, disable_progress_bars

    disable_progress_bars()
    first, made = 0, {}
    for split, count in splits.items():
        made[split] = table(count, first=first, **settings)  # pyright: ignore[reportArgumentType]
        first += count
    DatasetDict(made).save_to_disk(root)
    return root

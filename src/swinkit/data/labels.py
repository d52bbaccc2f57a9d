"""From labels as a file spells them, names or numbers, to indices into the classes."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from ..errors import DataError, listed

NAMES = "classes.txt"  # beside lists and shards: a name a line, for labels that are numbers


def numbered(
    texts: Sequence[str], where: Path, classes: Sequence[str] | None
) -> tuple[Tensor, tuple[str, ...]]:
    """(N,) indices and the classes that they count, of the labels written in `where` or beside it.

    Labels that are all whole numbers are indices into `classes.txt`; without that file into `classes`, or,
    where these are None, into classes named by the numbers. Other labels are names.

    Raises:
        DataError: a number is out of range, or a name is not in `classes`.
    """
    if not all(text.isascii() and text.isdigit() for text in texts):
        return by_name(texts, where, classes)
    numbers = torch.tensor([int(text) for text in texts])
    names = names_beside(where)
    known = names or (None if classes is None else tuple(classes))
    if known is None:
        return numbers, tuple(str(i) for i in range(int(numbers.max()) + 1))
    if numbers.max() >= len(known):
        source = NAMES if names else "the model or the training set"
        raise DataError(
            f"{where}: the label {numbers.max()} is out of range; {source} has {len(known)} classes, "
            f"0 to {len(known) - 1}"
        )
    if names is None or classes is None:
        return numbers, known
    return by_name([names[i] for i in numbers.tolist()], where, classes)


def by_name(
    texts: Sequence[str], where: Path, classes: Sequence[str] | None
) -> tuple[Tensor, tuple[str, ...]]:
    """The same for names, which are sorted unless `classes` orders them.

    Raises:
        DataError: one is not in `classes`.
    """
    known = tuple(sorted(set(texts)) if classes is None else classes)
    number = {name: i for i, name in enumerate(known)}
    strange = sorted(set(texts) - set(known))
    if strange:
        raise DataError(f"{where}: unknown labels {listed(strange)} (known: {listed(known, 20)})")
    return torch.tensor([number[text] for text in texts]), known


def names_beside(where: Path) -> tuple[str, ...] | None:
    """The names in `classes.txt`, in the folder `where` or beside the file `where`, if it is there.

    Raises:
        DataError: it is not text, or has an empty or a repeated line.
    """
    path = (where if where.is_dir() else where.parent) / NAMES
    if not path.exists():
        return None
    try:
        names = tuple(line.strip() for line in path.read_text("utf-8").rstrip().splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from None
    if "" in names or len(set(names)) < len(names):
        raise DataError(f"{path}: every line must be the name of one class")
    return names

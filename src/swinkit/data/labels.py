"""Turn the labels of a file, names or numbers, into indices of classes."""

import re
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from ..errors import DataError, listed, printable

NAMES = "classes.txt"  # beside lists and shards: a name a line, for labels that are numbers
NUMBER = re.compile("-?[0-9]{1,18}")
MOST = 2**20  # classes without names, so that a number that is no label makes no million of them


def number_labels(
    texts: Sequence[str],
    ids: Sequence[str],
    where: Path,
    classes: Sequence[str] | None,
    *,
    as_texts: bool = False,
) -> tuple[Tensor, tuple[str, ...]]:
    """Return the labels of `ids` as indices (N,) into classes, and the classes.

    With `as_texts` the classes are the different labels as they were written, whatever they say.

    If all labels are whole numbers, they are indices into `classes.txt` in or beside `where`; without that
    file into `classes`; without these into classes named by the numbers. Other labels are names, which must
    be in that file if it exists.

    Raises:
        DataError: a number is out of range, or a name is not in `classes` or the file.
    """
    if as_texts:
        return number_names(texts, ids, where, None)
    names, spelled = names_beside(where), set(texts)
    if not all(NUMBER.fullmatch(text) for text in spelled):
        return number_names(texts, ids, where, names if classes is None else classes)
    number = {text: int(text) for text in spelled}
    numbers = [number[text] for text in texts]
    known = names or (None if classes is None else tuple(classes))
    count = MOST if known is None else len(known)
    wrong = [i for i, label in enumerate(numbers) if not 0 <= label < count]
    if wrong:
        source = NAMES if names else "the model or the training set" if known else "what has no names"
        raise DataError(
            f"{where}: the label {texts[wrong[0]]} of {listed((ids[i] for i in wrong), 1)} is out of range; "
            f"{source} has {count} classes, 0 to {count - 1}; correct it, or take the picture out"
        )
    if known is None:
        return torch.tensor(numbers), tuple(str(i) for i in range(max(numbers) + 1))
    if names is None or classes is None:
        return torch.tensor(numbers), known
    return number_names([names[i] for i in numbers], ids, where, classes)


def number_names(
    texts: Sequence[str], ids: Sequence[str], where: Path, classes: Sequence[str] | None
) -> tuple[Tensor, tuple[str, ...]]:
    """Return names as indices (N,) into classes, and the classes, sorted unless `classes` orders them.

    Raises:
        DataError: one is not in `classes`.
    """
    known = tuple(sorted(set(texts)) if classes is None else classes)
    number = {name: i for i, name in enumerate(known)}
    strange = [i for i, text in enumerate(texts) if text not in number]
    if strange:
        first, pictures = printable(texts[strange[0]]), listed((ids[i] for i in strange), 1)
        raise DataError(
            f"{where}: the label `{first}` of {pictures} is unknown (known: {listed(known, 20)}); correct "
            "it, or take the picture out"
        )
    return torch.tensor([number[text] for text in texts]), known


def names_beside(where: Path) -> tuple[str, ...] | None:
    """Read the names in `classes.txt`, in the folder `where` or beside the file `where`; None without it.

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

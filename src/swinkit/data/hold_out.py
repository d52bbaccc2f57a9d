"""Hold pictures out of a data set that has no split: seeded, stratified, near duplicates on one side.

Of a class of N pictures, the share of N is held out, rounded, at least one. Pictures that are equal or look
alike (`near_duplicates.py`) are held out together or not at all, so that the share may be missed by as many.
A run writes what it held out as a list, `split.csv`, and reads it from there ever after: pictures that are
added to the folder later belong to neither side of that run.
"""

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from ..errors import DataError, UsageError, listed
from .dataset import ALL, HELD_OUT, TRAIN, Dataset, ImageDataset
from .folders import Directory, content_of
from .near_duplicates import group_near_duplicates
from .rng import draws
from .sample import LABEL
from .scan import Reading, scan

COLUMNS = ("id", "path", "label", "split")  # `lists.py` reads the last three
SIDES = (TRAIN, HELD_OUT[0])


def split_whole(
    whole: ImageDataset, share: float, seed: int, *, record: Path | None = None, workers: int = 0
) -> tuple[ImageDataset, ImageDataset]:
    """Return the pictures to learn from and those held out: as `record` lists them, if it exists, else anew.

    Raises:
        UsageError: the data are no folder.
        DataError: a class has too few pictures to hold some out; or the record is damaged.
    """
    if not isinstance(whole.content, Directory):
        raise UsageError(f"data.hold_out is for folders of pictures, and {whole.root} is none; unpack it")
    if record is not None and record.is_file():
        sides = read_sides(record)
        whole = restrict(whole, sides)
    else:
        chosen = choose_held_out(whole, list(scan(whole, workers)), share, seed)
        sides = {name: SIDES[i in chosen] for i, name in enumerate(whole.ids)}
    return part_of(whole, sides, SIDES[0]), part_of(whole, sides, SIDES[1])


def choose_held_out(
    whole: ImageDataset, readings: Sequence[Reading], share: float, seed: int
) -> frozenset[int]:
    """Return the indices of the pictures to hold out.

    Raises:
        DataError: a class has no two pictures that differ.
    """
    labels = [0] * len(whole) if whole.labels is None else whole.labels.tolist()
    groups = sorted(
        group_alike(readings), key=lambda group: draws(seed, "hold out", whole.ids[group[0]]).random()
    )
    sizes = [Counter(labels[i] for i in group) for group in groups]
    total = Counter(labels)
    wanted = {label: max(1, round(share * count)) for label, count in total.items()}
    held, chosen = Counter[int](), set[int]()
    for number, size in enumerate(sizes):
        if all(held[label] + count <= wanted[label] for label, count in size.items()):
            held.update(size)
            chosen.add(number)
    # Where all groups of a class are larger than its share, its smallest is held out.
    for label in total:
        own = [number for number, size in enumerate(sizes) if label in size]
        if not held[label] and len(own) > 1:
            smallest = min(own, key=lambda number: sizes[number].total())
            held.update(sizes[smallest])
            chosen.add(smallest)
    lacking = [label for label in total if not 0 < held[label] < total[label]]
    if lacking:
        names = listed(whole.classes[label] for label in lacking) if whole.classes else "all"
        raise DataError(
            f"{whole.root}: data.hold_out needs two pictures of each class that do not look alike; add some "
            f"of {names}, or take the class out"
        )
    return frozenset(i for number in chosen for i in groups[number])


def group_alike(readings: Sequence[Reading]) -> list[list[int]]:
    """Group the indices of pictures that are equal or look alike; one that is like no other is alone."""
    equal: dict[str, list[int]] = defaultdict(list)
    for index, reading in enumerate(readings):
        equal[reading.digest or f"unread {index}"].append(index)
    leader = {index: group[0] for group in equal.values() for index in group}
    members = {group[0]: list(group) for group in equal.values()}
    for alike in group_near_duplicates([reading.dhash for reading in readings]):
        first = leader[alike[0]]
        for other in {leader[index] for index in alike} - {first}:
            for index in members[other]:
                leader[index] = first
            members[first] += members.pop(other)
    return [sorted(group) for group in members.values()]


def restrict(whole: ImageDataset, sides: Mapping[str, str]) -> ImageDataset:
    """Return the pictures that are on a side, with their classes alone; others were added later."""
    chosen = [i for i, name in enumerate(whole.ids) if name in sides]
    if whole.labels is None or not chosen:
        return whole
    known, labels = whole.labels[torch.tensor(chosen)].unique(return_inverse=True)
    classes = tuple(whole.classes[i] for i in known.tolist())
    content = content_of(whole.root, [whole.ids[i] for i in chosen])
    return replace(whole, content=content, classes=classes, labels=labels)


def part_of(whole: ImageDataset, sides: Mapping[str, str], side: str) -> ImageDataset:
    """Return the pictures of one side, in their order.

    Raises:
        DataError: none of them is there.
    """
    chosen = [i for i, name in enumerate(whole.ids) if sides.get(name) == side]
    if not chosen:
        raise DataError(
            f"{whole.root}: none of the pictures is there that the run lists as {side}; give the data it "
            "began with"
        )
    labels = None if whole.labels is None else whole.labels[torch.tensor(chosen)]
    content = content_of(whole.root, [whole.ids[i] for i in chosen])
    return replace(whole, split=side, content=content, labels=labels)


def record_of(parts: Iterable[Dataset]) -> str:
    """Return the content of the list of both sides, which `data=` reads as well."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows(row for part in parts for row in rows_of(part))
    return text.getvalue()


def rows_of(part: Dataset) -> Iterator[tuple[str, str, str, str]]:
    """Yield id, absolute path, class and side of each picture."""
    for index, name in enumerate(part.ids):
        label = part.target(index).get(LABEL)
        kind = ALL if label is None else part.classes[label]
        yield name, str(Path(part.content.place(index)).absolute()), kind, part.split


def read_sides(record: Path) -> dict[str, str]:
    """Return the side of each picture by its id.

    Raises:
        DataError: the list is damaged.
    """
    try:
        with record.open(newline="", encoding="utf-8") as file:
            return {row["id"]: row["split"] for row in csv.DictReader(file)}
    except (OSError, UnicodeDecodeError, csv.Error, KeyError) as error:
        raise DataError(f"{record}: cannot be read as the list of a run's split: {error}") from None

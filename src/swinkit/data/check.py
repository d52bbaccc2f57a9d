"""Check a data set: read every image once, count what is there, and list the problems.

A problem is blocking if a training would stop on it, or its score would mean nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from ..core.spec import Size
from ..errors import DataError, listed, printable
from .arrays import ArrayDataset
from .channels import Channels
from .corrupt import enough_for
from .dataset import HELD_OUT, ImageDataset
from .find_dataset import NoSuchSplit, find_samples, layout_of
from .folders import is_hidden, is_picture, list_names, parts_of
from .loader import MAX_BAD_FRACTION
from .near_duplicates import group_near_duplicates
from .scan import Reading
from .size_stats import shapes, sides, span
from .unlabelled import find_unlabelled

SPLITS = ("train", *HELD_OUT)
VERSION = 1  # of the JSON
RARE = 5  # times as many pictures of the largest class as of the smallest, from which on it is said
NO_CLASS = ""  # under which samples without classes are counted


@dataclass(frozen=True)
class Problem:
    """One kind of problem; `groups` are the images concerned, those that belong together in one group."""

    kind: str
    message: str
    blocking: bool
    groups: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Report:
    """Result of a check: `counts[split][class]` images, and statistics of those that could be read.

    `sizes[split]` lists each (h, w), `modes[split][mode]` counts Pillow's modes, and `turned[split]` the
    images that their EXIF data rotate or mirror.
    """

    path: Path
    layout: str
    evidence: str
    counts: Mapping[str, Mapping[str, int]]
    sizes: Mapping[str, Sequence[Size]]
    modes: Mapping[str, Mapping[str, int]]
    turned: Mapping[str, int]
    problems: tuple[Problem, ...]

    @property
    def blocking(self) -> bool:
        """True if the data set should not be trained on as it is."""
        return any(problem.blocking for problem in self.problems)

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain values; the names of the fields stay the same within a version.

        `sizes` are height, width and width by height: smallest, median and largest.
        """
        return {
            "version": VERSION,
            "path": str(self.path),
            "layout": self.layout,
            "evidence": self.evidence,
            "splits": {split: self.split_json(split) for split in self.counts},
            "problems": [
                {
                    "kind": p.kind,
                    "message": p.message,
                    "blocking": p.blocking,
                    "pictures": [list(group) for group in p.groups],
                }
                for p in self.problems
            ],
            "blocking": self.blocking,
        }

    def split_json(self, split: str) -> dict[str, Any]:
        """Return the part of one split."""
        sizes = self.sizes[split]
        return {
            "pictures": sum(self.counts[split].values()),
            "classes": {name: count for name, count in self.counts[split].items() if name != NO_CLASS},
            "sizes": span(sizes),
            "shorter_sides": sides(sizes),
            "shapes": shapes(sizes),
            "modes": dict(self.modes[split]),
            "turned": self.turned[split],
        }


def find_splits(path: Path, channels: Channels | None = None) -> tuple[list[ImageDataset], list[Problem]]:
    """Find the splits of a data set, each with its own classes, and those that cannot be read.

    Classes are left aside for given `channels`, as a pre-training does; arrays have none.

    Raises:
        DataError: there is none at all.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    if channels is not None:
        return find_unlabelled(path, SPLITS, channels), []
    found: list[ImageDataset] = []
    problems = []
    for split in SPLITS:
        if layout_of(path, split) is None:
            continue
        try:
            found.append(find_samples(path, split))
        except NoSuchSplit:
            continue
        except DataError as error:
            problems.append(Problem("unreadable", str(error), blocking=True))
    if not found and not problems:
        found += find_unlabelled(path, SPLITS, None)
    if not found and not problems:
        raise DataError(
            f"{path}: no data set: looked for {', '.join(SPLITS)} as folders SPLIT/CLASS/picture, as lists "
            "SPLIT.csv or SPLIT.parquet, as tables SPLIT-*.parquet or a DatasetDict saved there, and as "
            "shards SPLIT-*.tar; give data.mean and data.std as well to check pictures without classes"
        )
    return found, problems


def make_report(
    path: Path, splits: Sequence[ImageDataset], found: Iterable[Reading], problems: Sequence[Problem] = ()
) -> Report:
    """Return the report on the readings of all splits."""
    found = list(found)
    counts = {
        s.split: {NO_CLASS: len(s)}
        if s.labels is None
        else dict(zip(s.classes, s.counts().tolist(), strict=True))
        for s in splits
    }
    whole = {split: [r for r in found if r.split == split and r.error is None] for split in counts}
    layout, evidence = layout_of_splits(path, splits)
    all_problems = (
        *problems,
        *left_out(path, counts, layout),
        *missing_splits(splits, problems),
        *class_problems(counts),
        *rare_classes(counts),
        *unreadable(found, counts),
        *constant(found, counts, splits),
        *duplicates(found),
    )
    return Report(
        path,
        layout,
        evidence,
        counts,
        sizes={split: [r.size for r in of_split] for split, of_split in whole.items()},
        modes={split: dict(Counter(r.mode for r in of_split)) for split, of_split in whole.items()},
        turned={split: sum(r.turned for r in of_split) for split, of_split in whole.items()},
        problems=all_problems,
    )


def layout_of_splits(path: Path, splits: Sequence[ImageDataset]) -> tuple[str, str]:
    """Return the layout of the splits and the file that it is recognised by."""
    if not splits:
        return "unknown", "nothing readable"
    first = splits[0]
    if isinstance(first, ArrayDataset):
        return f"arrays of {first.axes} axes, channels: {first.channels.count}", first.ids[0]
    return layout_of(path, first.split) or ("pictures without classes", first.ids[0])


def missing_splits(splits: Sequence[ImageDataset], problems: Sequence[Problem]) -> Iterator[Problem]:
    """Yield a problem if there is nothing to train on, or nothing to validate on."""
    found = {samples.split for samples in splits}
    if any(samples.labels is None for samples in splits):
        return  # a pre-training then watches what it learns from
    if found == {"train"} and not problems:
        message = (
            f"there is none of {', '.join(HELD_OUT)}, which training watches; split some off train, or train "
            "with data.hold_out=0.2"
        )
        yield Problem("missing split", message, blocking=True)
    elif found and "train" not in found and not problems:
        yield Problem("missing split", "there is no train: good for evaluation alone", blocking=False)


def rare_classes(counts: Mapping[str, Mapping[str, int]]) -> Iterator[Problem]:
    """Yield a problem if `train` has far fewer images of some classes than of others."""
    train = {name: count for name, count in counts.get("train", {}).items() if count}
    most = max(train.values(), default=0)
    rare = sorted((count, name) for name, count in train.items() if count * RARE <= most)
    if rare:
        common = max(train, key=lambda name: train[name])
        number = "1 class has" if len(rare) == 1 else f"{len(rare)} classes have"
        message = (
            f"{number} at most a {RARE}th of the {most} pictures of `{printable(common)}`, down to "
            f"{rare[0][0]} of `{printable(rare[0][1])}`; where each class counts the same, "
            "class_weights=balanced, sampler=class-balanced or focal_gamma=2 helps"
        )
        yield Problem("rare classes", message, blocking=False)


def class_problems(counts: Mapping[str, Mapping[str, int]]) -> Iterator[Problem]:
    """Yield classes without images, classes that a split lacks, and a data set of a single class."""
    known = counts.get("train", {})
    if any(NO_CLASS in of_class for of_class in counts.values()):
        return
    if len(known) == 1:
        yield Problem("one class", "train has one class: there is nothing to tell apart", blocking=False)
    for split, of_class in counts.items():
        empty = [name for name, count in of_class.items() if not count]
        missing = [name for name in known if name not in of_class]
        unknown = [name for name in of_class if known and name not in known]
        mend = "add some, or take the class out of every split"
        if empty:
            message = f"{split} has no pictures of {listed(empty)}; {mend}"
            yield Problem("empty class", message, blocking=True)
        if missing:
            message = f"{split} has no pictures of {listed(missing)}, train has; {mend}"
            yield Problem("missing class", message, blocking=True)
        if unknown:
            message = (
                f"{split} has pictures of {listed(unknown)}, train has none; add some to it, or take them out"
            )
            yield Problem("unknown class", message, blocking=True)


def left_out(path: Path, splits: Collection[str], layout: str) -> Iterator[Problem]:
    """Yield a problem if folders of classes hold files without the suffix of an image."""
    if layout != "folders":
        return
    names = [name for name in list_names(path) if set(parts_of(name)[:-1]) & set(splits)]
    others = [name for name in names if not (name.endswith("/") or is_picture(name) or is_hidden(name))]
    if others:
        kinds = Counter(PurePath(name).suffix.lower() or "without an ending" for name in others)
        counted = ", ".join(f"{count} {printable(kind)}" for kind, count in kinds.most_common())
        message = f"files such as {printable(min(others))} are no pictures, and left out: {counted}"
        yield Problem("left out", message, blocking=False)


def unreadable(found: Sequence[Reading], counts: Mapping[str, Mapping[str, int]]) -> Iterator[Problem]:
    """Yield the images that cannot be decoded, split by split."""
    for split, of_class in counts.items():
        bad = [reading for reading in found if reading.split == split and reading.error is not None]
        if not bad:
            continue
        total = sum(of_class.values())
        blocking = split != "train" or len(bad) > MAX_BAD_FRACTION * total
        rule = "evaluation allows none"
        if split == "train":
            rule = f"training allows {MAX_BAD_FRACTION:.1%} by default"
            rule += f", and these by data.max_bad_fraction={enough_for(len(bad), total):g}" * blocking
        message = (
            f"{len(bad)} of {total} pictures of {split} cannot be read ({rule}); mend them, or take them out"
        )
        named = tuple((f"{reading.id}: {reading.error}",) for reading in bad)
        yield Problem("corrupt", message, blocking, named)


def constant(
    found: Sequence[Reading], counts: Mapping[str, Mapping[str, int]], splits: Sequence[ImageDataset]
) -> Iterator[Problem]:
    """Yield arrays and pictures without classes of which every value is the same."""
    unlabelled = {samples.split for samples in splits if samples.labels is None}
    for split, of_class in counts.items():
        same = [r.id for r in found if r.split == split and r.constant and split in unlabelled]
        if same:
            message = f"{len(same)} of {sum(of_class.values())} of {split} hold one value alone, from which "
            yield Problem("constant", f"{message}nothing is learned", False, tuple((name,) for name in same))


def duplicates(found: Sequence[Reading]) -> Iterator[Problem]:
    """Yield duplicates: equal pixels, or images that look alike."""
    groups = same_pixels(found)
    leaks = [group for group in groups if leaks_from_train(group)]
    unsure = [group for group in groups if contradicts(group)]
    if leaks:
        message = f"pictures of train are also in other splits ({tally(leaks)}); scores would be too good: "
        yield Problem("leak", f"{message}take them out of one", blocking=True, groups=ids_of(leaks))
    if unsure:
        message = f"pictures that have more than one label: {len(unsure)}"
        yield Problem("contradiction", message, blocking=False, groups=ids_of(unsure))
    same = [group for group in groups if not leaks_from_train(group) and not contradicts(group)]
    if same:
        message = f"pictures that are there more than once: {len(same)}"
        yield Problem("duplicate", message, blocking=False, groups=ids_of(same))
    once = list({reading.digest: reading for reading in found if reading.digest}.values())
    similar = [
        [once[i] for i in group] for group in group_near_duplicates([reading.dhash for reading in once])
    ]
    crossing = [group for group in similar if leaks_from_train(group)]
    if crossing:
        message = f"other splits have pictures that look like some of train ({tally(crossing)}); compare them"
        yield Problem("possible leak", message, blocking=False, groups=ids_of(crossing))
    near = [group for group in similar if not leaks_from_train(group)]
    if near:
        message = f"pictures that look like others: {len(near)}"
        yield Problem("near duplicate", message, blocking=False, groups=ids_of(near))


def same_pixels(found: Iterable[Reading]) -> list[list[Reading]]:
    """Group the images whose pixels are equal."""
    groups = defaultdict(list)
    for reading in found:
        if reading.digest:
            groups[reading.digest].append(reading)
    return [group for group in groups.values() if len(group) > 1]


def leaks_from_train(group: Iterable[Reading]) -> bool:
    """Return whether some are in train and some are not."""
    splits = {reading.split for reading in group}
    return "train" in splits and len(splits) > 1


def contradicts(group: Iterable[Reading]) -> bool:
    """Return whether they have more than one label."""
    return len({reading.label for reading in group}) > 1


def tally(groups: Iterable[Sequence[Reading]]) -> str:
    """Count the images in each split other than train, as text."""
    found = Counter(reading.split for group in groups for reading in group if reading.split != "train")
    return ", ".join(f"{count} of {split}" for split, count in found.items())


def ids_of(groups: Iterable[Sequence[Reading]]) -> tuple[tuple[str, ...], ...]:
    """Return the ids of the images of each group."""
    return tuple(tuple(reading.id for reading in group) for group in groups)

"""What is in a data set and what is wrong with it: every picture is read once.

A problem is blocking if a training would stop on it, or its score would be worth nothing.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from ..core.spec import Size
from ..errors import DataError
from .images import ImageError
from .layouts import HELD_OUT, find_samples, layout_of
from .loader import MAX_BAD_FRACTION
from .samples import Samples
from .workers import Ahead

SPLITS = ("train", *HELD_OUT)
TOGETHER = 32  # pictures that a worker reads at a time


@dataclass(frozen=True)
class Reading:
    """What reading one picture told: why it failed, or its size (h, w) and a sha256 of its pixels."""

    split: str
    id: str
    label: str
    error: str | None
    size: Size
    digest: str


@dataclass(frozen=True)
class Problem:
    """One kind of problem; `groups` are the pictures concerned, those that belong together in one group."""

    kind: str
    message: str
    blocking: bool
    groups: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Report:
    """What was found. `counts[split][class]` are pictures, `sizes[split]` those that could be read."""

    path: Path
    layout: str
    evidence: str
    counts: Mapping[str, Mapping[str, int]]
    sizes: Mapping[str, Sequence[Size]]
    problems: tuple[Problem, ...]

    @property
    def blocking(self) -> bool:
        """Whether it should not be trained on as it is."""
        return any(problem.blocking for problem in self.problems)

    def to_json(self) -> dict[str, object]:
        """All of it, as plain values; sizes as height and width: smallest, median and largest."""
        return {
            "path": str(self.path),
            "layout": self.layout,
            "evidence": self.evidence,
            "splits": {
                split: {
                    "pictures": sum(counts.values()),
                    "classes": dict(counts),
                    "sizes": span(self.sizes[split]),
                }
                for split, counts in self.counts.items()
            },
            "problems": [
                {
                    "kind": p.kind,
                    "message": p.message,
                    "blocking": p.blocking,
                    "pictures": [list(g) for g in p.groups],
                }
                for p in self.problems
            ],
            "blocking": self.blocking,
        }


def span(sizes: Sequence[Size]) -> dict[str, list[float]] | None:
    """Smallest, median and largest height and width; None without pictures."""
    if not sizes:
        return None
    heights, widths = zip(*sizes, strict=True)
    return {
        name: [min(sides), median(sides), max(sides)]
        for name, sides in (("height", heights), ("width", widths))
    }


def splits_of(path: Path) -> tuple[list[Samples], list[Problem]]:
    """The splits that a data set has, each with its own classes, and what is wrong with their form.

    Raises:
        DataError: it has none at all.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    found: list[Samples] = []
    problems = []
    for split in SPLITS:
        if layout_of(path, split) is None:
            continue
        try:
            found.append(find_samples(path, split))
        except DataError as error:
            problems.append(Problem("unreadable", str(error), blocking=True))
    if not found and not problems:
        raise DataError(
            f"{path}: no data set: looked for {', '.join(SPLITS)} as folders SPLIT/CLASS/picture, as lists "
            "SPLIT.csv or SPLIT.parquet, and as shards SPLIT-*.tar"
        )
    return found, problems


def readings(samples: Samples, workers: int = 0) -> Iterator[Reading]:
    """Each picture of a split, in order."""
    ranges = range(0, len(samples), TOGETHER)
    several = Ahead(Several(samples), workers)
    for together in several([range(at, min(at + TOGETHER, len(samples))) for at in ranges]):
        yield from together


@dataclass(frozen=True)
class Several:
    """How a worker reads a few pictures."""

    samples: Samples

    def __call__(self, indices: Sequence[int]) -> list[Reading]:
        """One reading each."""
        return [read(self.samples, index) for index in indices]


def read(samples: Samples, index: int) -> Reading:
    """Decode one picture."""
    name = samples.ids[index]
    label = "" if samples.labels is None else samples.classes[int(samples.labels[index])]
    try:
        image = samples.load(index)
    except ImageError as error:
        return Reading(samples.split, name, label, error.reason, (), "")
    size = tuple(image.shape[1:])
    digest = hashlib.sha256(repr(size).encode() + image.numpy().tobytes()).hexdigest()
    return Reading(samples.split, name, label, None, size, digest)


def report_on(
    path: Path, splits: Sequence[Samples], found: Iterable[Reading], problems: Iterable[Problem] = ()
) -> Report:
    """What all readings of all splits tell together."""
    found = list(found)
    counts = {s.split: dict(zip(s.classes, s.counts().tolist(), strict=True)) for s in splits}
    sizes = {s.split: [r.size for r in found if r.split == s.split and r.error is None] for s in splits}
    layout, evidence = (layout_of(path, splits[0].split) if splits else None) or (
        "unknown",
        "nothing readable",
    )
    told = (*problems, *class_problems(counts), *unreadable(found, counts), *repeated(found))
    return Report(path, layout, evidence, counts, sizes, tuple(told))


def class_problems(counts: Mapping[str, Mapping[str, int]]) -> Iterator[Problem]:
    """Classes without pictures, or not known to every split."""
    for split, of_class in counts.items():
        for name, count in of_class.items():
            if not count:
                yield Problem("empty class", f"{split} has no pictures of {name}", blocking=True)
    if "train" not in counts:
        return
    for split, of_class in counts.items():
        for name in counts["train"].keys() - of_class.keys():
            yield Problem("missing class", f"{split} has no pictures of {name}, train has", blocking=True)
        for name in of_class.keys() - counts["train"].keys():
            yield Problem("unknown class", f"{split} has pictures of {name}, train has none", blocking=True)


def unreadable(found: Sequence[Reading], counts: Mapping[str, Mapping[str, int]]) -> Iterator[Problem]:
    """Pictures that cannot be decoded, split by split."""
    for split, of_class in counts.items():
        bad = [reading for reading in found if reading.split == split and reading.error is not None]
        if not bad:
            continue
        total = sum(of_class.values())
        blocking = split != "train" or len(bad) > MAX_BAD_FRACTION * total
        rule = f"training allows {MAX_BAD_FRACTION:.1%}" if split == "train" else "evaluation allows none"
        message = f"{len(bad)} of {total} pictures of {split} cannot be read ({rule})"
        named = tuple((f"{reading.id}: {reading.error}",) for reading in bad)
        yield Problem("corrupt", message, blocking, named)


def repeated(found: Sequence[Reading]) -> Iterator[Problem]:
    """Pictures whose pixels are those of another one."""
    alike = defaultdict(list)
    for reading in found:
        if reading.error is None:
            alike[reading.digest].append(reading)
    groups = [group for group in alike.values() if len(group) > 1]
    leaks = [g for g in groups if len({r.split for r in g}) > 1 and "train" in {r.split for r in g}]
    unsure = [g for g in groups if len({r.label for r in g}) > 1]
    if leaks:
        held_out = Counter(r.split for group in leaks for r in group if r.split != "train")
        where = ", ".join(f"{count} of {split}" for split, count in held_out.items())
        message = f"pictures of train are also in other splits ({where}); scores would be too good"
        yield Problem("leak", message, blocking=True, groups=names(leaks))
    if unsure:
        message = f"pictures that have more than one label: {len(unsure)}"
        yield Problem("contradiction", message, blocking=False, groups=names(unsure))
    same = [group for group in groups if group not in leaks and group not in unsure]
    if same:
        message = f"pictures that are there more than once: {len(same)}"
        yield Problem("duplicate", message, blocking=False, groups=names(same))


def names(groups: Iterable[Sequence[Reading]]) -> tuple[tuple[str, ...], ...]:
    """What the pictures are called."""
    return tuple(tuple(reading.id for reading in group) for group in groups)

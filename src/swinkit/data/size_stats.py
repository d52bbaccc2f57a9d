"""Statistics of image sizes and shapes."""

from collections import Counter
from collections.abc import Sequence
from statistics import median

from ..core.spec import Size

SHAPES = (  # width by height, from each on; a square is one of its own
    (0, "under 1:2"),
    (1 / 2, "1:2 to 3:4"),
    (3 / 4, "3:4 to 1:1"),
    (1, "square"),
    (1 + 1e-9, "1:1 to 4:3"),
    (4 / 3 + 1e-9, "4:3 to 2:1"),
    (2 + 1e-9, "over 2:1"),
)


def span(sizes: Sequence[Size]) -> dict[str, list[float]] | None:
    """Return smallest, median and largest height, width and width by height; None without images."""
    if not sizes:
        return None
    heights, widths = zip(*sizes, strict=True)
    measured = {"height": heights, "width": widths, "ratio": [w / h for h, w in sizes]}
    return {name: [min(values), median(values), max(values)] for name, values in measured.items()}


def ranges(sizes: Sequence[Size]) -> list[str]:
    """Return smallest / median / largest height and width as text; a dash without images."""
    found = span(sizes)
    if found is None:
        return ["-", "-"]
    return [" / ".join(f"{value:g}" for value in found[side]) for side in ("height", "width")]


def sides(sizes: Sequence[Size]) -> dict[str, int]:
    """Count images by shorter side, in steps that double: "32 to 63"."""
    doublings = Counter(min(size).bit_length() - 1 for size in sizes)
    steps = range(min(doublings), max(doublings) + 1) if doublings else ()
    return {f"{2**step} to {2 ** (step + 1) - 1}": doublings[step] for step in steps}


def shapes(sizes: Sequence[Size]) -> dict[str, int]:
    """Count images by shape, width to height; shapes without images are left out."""
    found = Counter(max(i for i, (least, _) in enumerate(SHAPES) if w / h >= least) for h, w in sizes)
    return {name: found[i] for i, (_, name) in enumerate(SHAPES) if found[i]}

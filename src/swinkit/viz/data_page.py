"""A data set on one page of HTML, without scripts: problems, counts, sizes, pictures of each class."""

import base64
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import PurePosixPath

import torch
from PIL import Image
from torch import Tensor

from ..data.check import Problem, Report
from ..data.dataset import ImageDataset
from ..data.images import ImageError
from ..data.size_stats import ranges, shapes, sides

SIDE = 96  # pixels of a thumbnail's longer side
EACH = 8  # thumbnails of a class
CLASSES = 100  # that are shown
GROUPS = 12  # of pictures that a problem shows
NAMED = re.compile("`([^`]*)`")  # in messages

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1c2026; max-width: 1080px; margin: 2rem auto }
body { padding: 0 1rem }
h1 { font-size: 1.5rem; overflow-wrap: anywhere } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem }
table { border-collapse: collapse; width: 100% } th { text-align: left; font-weight: 600 }
td, th { padding: .35rem .8rem .35rem 0; border-bottom: 1px solid #e4e7ec; vertical-align: middle }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
.charts { display: flex; flex-wrap: wrap; align-items: flex-start; gap: 0 2.5rem }
.charts table { width: auto; min-width: 280px }
.charts td { border: 0; padding-top: .1rem; padding-bottom: .1rem } .charts td:last-child { width: 120px }
.number:first-child { text-align: left }
.bar { display: block; height: .6rem; background: #5b83c4; border-radius: 2px; min-width: 1px }
.problem { border-left: 4px solid #d9a520; background: #fff9e8; padding: .6rem 1rem; margin: .6rem 0 }
.blocking { border-color: #c0392b; background: #fdf0ee } .fine { border-color: #3a8f5c; background: #eef8f1 }
.row { display: flex; flex-wrap: wrap; gap: 6px } figure { margin: 0; width: 96px }
figcaption { font-size: 11px; color: #667080; overflow-wrap: anywhere; line-height: 1.25 }
img { width: 96px; height: 96px; object-fit: contain; background: #f0f2f5; display: block }
.group { border: 1px solid #e4c77a; padding: 6px; margin: 6px 0; background: #fff }
@media (max-width: 700px) { table { display: block; overflow-x: auto } body { margin: 1rem auto } }
"""


def render_page(report: Report, splits: Sequence[ImageDataset]) -> str:
    """Return the page; names of files and classes are escaped, so that none becomes markup."""
    places = {name: (samples, i) for samples in splits for i, name in enumerate(samples.ids)}
    parts = [
        f"<h1>{escape(str(report.path))}</h1>",
        f"<p>Layout: {escape(report.layout)}, recognised by <code>{escape(report.evidence)}</code></p>",
        *(problem_part(problem, places) for problem in report.problems),
        "" if report.problems else '<div class="problem fine">No problems found.</div>',
        "<h2>Splits</h2>",
        split_rows(report),
        histograms(report),
        *(class_rows(samples, report.counts[samples.split]) for samples in splits),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(report.path.name)}</title><style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def problem_part(problem: Problem, places: Mapping[str, tuple[ImageDataset, int]]) -> str:
    """Return a box with the first pictures of a problem, those that belong together side by side."""
    kind = "problem blocking" if problem.blocking else "problem"
    word = "Blocking" if problem.blocking else "Note"
    message = NAMED.sub(r"<code>\1</code>", escape(problem.message))
    lines = [f"<b>{word}: {escape(problem.kind)}.</b> {message}."]
    for group in problem.groups[:GROUPS]:
        known = [places[name] for name in group if name in places]
        inside = figures(known) if known else f"<code>{escape(', '.join(group))}</code>"
        lines.append(f'<div class="group row">{inside}</div>')
    more = len(problem.groups) - GROUPS
    lines += [f"and {more} more"] if more > 0 else []
    return f'<div class="{kind}">{"".join(lines)}</div>'


def split_rows(report: Report) -> str:
    """Return a table of the splits."""
    rows = []
    for split, counts in report.counts.items():
        cells = [str(sum(counts.values())), str(len(counts)), *ranges(report.sizes[split])]
        cells.append(str(report.turned[split]))
        numbers = "".join(f'<td class="number">{cell}</td>' for cell in cells)
        rows.append(f"<tr><td>{escape(split)}</td>{numbers}</tr>")
    sizes = ("height: least / median / most", "width: least / median / most")
    head = ("split", "pictures", "classes", *sizes, "turned by EXIF")
    titles = "".join(f'<th class="number">{name}</th>' for name in head)
    return f"<table><tr>{titles}</tr>{''.join(rows)}</table>"


def histograms(report: Report) -> str:
    """Return histograms of the sizes, shapes and formats of each split's pictures."""
    parts = []
    for split, sizes in report.sizes.items():
        charts = {
            "shorter side, pixels": sides(sizes),
            "width to height": shapes(sizes),
            "stored as": report.modes[split],
        }
        inside = "".join(chart(what, counts) for what, counts in charts.items() if counts)
        parts.append(f'<h2>{escape(split)}: sizes</h2><div class="charts">{inside}</div>')
    return "".join(parts)


def chart(what: str, counts: Mapping[str, int]) -> str:
    """Return a bar for each kind, beside its number."""
    most = max(counts.values())
    rows = "".join(
        f'<tr><td>{escape(kind)}</td><td class="number">{count}</td><td>{bar(count, most)}</td></tr>'
        for kind, count in counts.items()
    )
    return f'<table><tr><th colspan="3">{escape(what)}</th></tr>{rows}</table>'


def bar(count: int, most: int) -> str:
    """Return a bar of length `count` / `most`."""
    return f'<span class="bar" style="width: {120 * count / most:.0f}px"></span>' if count else ""


def class_rows(samples: ImageDataset, counts: Mapping[str, int]) -> str:
    """Return the first pictures of each class of a split, and how many there are."""
    most = max(counts.values(), default=1) or 1
    first: dict[int, list[int]] = {i: [] for i in range(len(samples.classes))}
    for index, label in enumerate([] if samples.labels is None else samples.labels.tolist()):
        if len(first[label]) < EACH:
            first[label].append(index)
    rows = [
        f'<tr><td>{escape(name)}</td><td class="number">{counts[name]}'
        f"{bar(counts[name], most)}</td>"
        f'<td><div class="row">{figures((samples, i) for i in first[label])}</div></td></tr>'
        for label, name in list(enumerate(samples.classes))[:CLASSES]
    ]
    more = len(samples.classes) - CLASSES
    rest = f"<p>and {more} more classes</p>" if more > 0 else ""
    return f"<h2>{escape(samples.split)}</h2><table>{''.join(rows)}</table>{rest}"


def figures(pictures: Iterable[tuple[ImageDataset, int]]) -> str:
    """Return thumbnails with split, class and the names of the files."""
    return "".join(
        f'<figure title="{escape(samples.ids[i])}"><img alt="" src="{thumbnail(samples, i)}">'
        f"<figcaption>{escape(class_of(samples, i))}<br>{escape(PurePosixPath(samples.ids[i]).name)}"
        "</figcaption></figure>"
        for samples, i in pictures
    )


def class_of(samples: ImageDataset, index: int) -> str:
    """Return the split and class of a picture."""
    label = "" if samples.labels is None else samples.classes[int(samples.labels[index])]
    return f"{samples.split}: {label}"


def shown(pixels: Tensor) -> Tensor:
    """Return RGB (3, h, w) uint8 of (C, *P): the middle of further axes; three channels, or one thrice."""
    while pixels.ndim > 3:
        pixels = pixels[:, pixels.shape[1] // 2]
    pixels = pixels[:3] if len(pixels) >= 3 else pixels[:1].expand(3, -1, -1)
    if not pixels.is_floating_point():
        return pixels
    low, high = pixels.min(), pixels.max()
    return ((pixels - low) / (high - low).clamp(min=1e-12) * 255).round().to(torch.uint8)


def thumbnail(samples: ImageDataset, index: int) -> str:
    """Return a small JPEG as a data URL; an empty one if the picture cannot be read."""
    try:
        image = Image.fromarray(shown(samples[index].image).permute(1, 2, 0).numpy())
    except ImageError:
        return "data:,"
    image.thumbnail((SIDE, SIDE))
    content = io.BytesIO()
    image.save(content, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode()}"

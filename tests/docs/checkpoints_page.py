"""docs/checkpoints.md, written from the table of checkpoints: `python -m tests.docs.checkpoints_page`."""

import re
from collections.abc import Callable

from swinkit.models.specs import VARIANTS
from swinkit.zoo.checkpoints import HUB, PACKAGE, Checkpoint, published_checkpoints

from .markdown import ROOT

PAGE = ROOT / "docs" / "checkpoints.md"
STUDY = "zdaxie/SimMIM"
METRICS = {
    "top1": "top-1",
    "top5": "top-5",
    "top1_imagenet_1k_finetuned": "fine-tuned on ImageNet-1k",
    "top1_imagenet_1k_5shot": "5-shot on ImageNet-1k",
    "box_ap": "box AP",
    "mask_ap": "mask AP",
    "miou": "mIoU",
    "miou_multiscale": "multi-scale mIoU",
    "l1_loss": "L1 loss",
}

MARK = "<!-- From here on written by `python -m tests.docs.checkpoints_page`. -->\n"


def page() -> str:
    """Return the page: what people wrote, up to the mark, and the tables below it."""
    order = list(VARIANTS)
    rows = sorted(published_checkpoints().values(), key=lambda row: order.index(row.variant))
    sections = [PAGE.read_text(encoding="utf-8").partition(MARK)[0] + MARK]
    for title, belongs in SECTIONS:
        sections.append(f"## {title}\n\n{table([row for row in rows if belongs(row)])}")
    sections.append(study([row for row in published_checkpoints().values() if STUDY in row.address]))
    return "\n".join(sections)


def of_family(*families: str, task: str = "classification") -> Callable[[Checkpoint], bool]:
    """Whether a row is of one of these families, for this task, and not one of the study's."""
    return lambda row: (
        VARIANTS[row.variant].family in families and row.task == task and STUDY not in row.address
    )


SECTIONS = (
    ("V1, classification", of_family("v1")),
    ("V2, classification", of_family("v2")),
    ("V2-CR, classification", of_family("v2-cr")),
    ("Swin-MLP, classification", of_family("mlp")),
    ("Swin-MoE, classification", of_family("moe")),
    ("Video", of_family("video", task="video-classification")),
    ("Detection on COCO", of_family("v1", task="detection")),
    ("Segmentation on ADE20K", of_family("v1", task="segmentation")),
    ("Masked pre-training (SimMIM)", of_family("v1", "v2", task="pre-training")),
)


def table(rows: list[Checkpoint]) -> str:
    """Return a line a checkpoint."""
    head = "| name | input | reported | licence | dialect | file | note |\n|---|---|---|---|---|---|---|\n"
    return head + "".join(f"| {' | '.join(cells(row))} |\n" for row in rows)


def cells(row: Checkpoint) -> tuple[str, ...]:
    """Return the row of one checkpoint."""
    measured = ", ".join(f"{METRICS[metric]} {value:g}" for metric, value in row.reported.items())
    note = "; ".join(part for part in (f"sha256 `{row.sha256}`" if row.sha256 else "", row.note) if part)
    return f"`{row.name}`", inputs(row), measured or "-", licence(row), row.dialect or "-", link(row), note


def licence(row: Checkpoint) -> str:
    """With a link to who grants it."""
    return f"[{row.licence}]({'../' * (not row.source.startswith('http'))}{row.source})"


def inputs(row: Checkpoint) -> str:
    """Pixels, and what pictures are resized to before."""
    size = " x ".join(map(str, row.size))
    if row.preprocess is None:
        return size
    resize = row.preprocess["resize"]
    return f"{size}, squeezed" if resize is None else f"{size} of {resize}"


def link(row: Checkpoint) -> str:
    """Return the file, named as its publisher does."""
    if row.address.startswith(PACKAGE):
        return "in the package"
    if row.address.startswith(HUB):
        return f"[{row.address}](https://huggingface.co/{row.repository})"
    stem = row.aliases[0] if "drive.google" in row.address else row.address.rpartition("/")[2]
    return f"[{stem}]({row.address})"


def study(rows: list[Checkpoint]) -> str:
    """Return the pre-trained models of one study, each beside its fine-tuned one."""
    before = [row for row in rows if row.task == "pre-training"]
    after = [row for row in rows if row.task != "pre-training"]
    lines = [
        f"| `{one.name}` | [{one.reported['l1_loss']:g}]({one.address}) "
        f"| `{other.name}` | [{other.reported['top1']:g}]({other.address}) |\n"
        for one, other in zip(before, after, strict=True)
    ]
    note = re.sub(r"^input", "Input", after[0].note)
    return (
        "## The study of data scaling (SimMIM, V2)\n\n"
        f"Pre-trained at 192 x 192 on parts of ImageNet (licence {before[0].licence}, dialect "
        f"{before[0].dialect}),\nand fine-tuned on ImageNet-1k at 224 x 224 (dialect {after[0].dialect}).\n"
        f"{note}.\n\n"
        "| pre-trained | L1 loss | fine-tuned | top-1 |\n|---|---|---|---|\n" + "".join(lines)
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

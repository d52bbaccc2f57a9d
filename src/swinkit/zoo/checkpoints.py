"""Table of the published checkpoints, `checkpoints.json`, and search by name. Torch-free.

A name is VARIANT/DATASET. A suffix of the data set distinguishes files of the same model on the same data: by
publisher (`-torchvision`, `-timm`), length of training (`-1x`) or origin (`-simmim`).
"""

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..models.catalogue import ALIASES, canonical_name, suggest
from ..models.config import to_tuples
from ..models.specs import VARIANTS
from ..type_check import expand_home

TABLE = Path(__file__).with_name("checkpoints.json")
PACKAGE, HUB = "package:", "hf:"
UNSTATED = "see source"
SHOWN = 6  # names in a message
RUN = ("config.json", "log.jsonl")  # which the folder of a training has, and no model's
SUFFIXES = (".pth", ".pt", ".bin", ".ckpt", ".safetensors", ".pkl", ".zip")


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Published file of weights, and what its publishers report.

    `address` begins with `https://`, with `hf:` (a repository of the Hugging Face hub) or with `package:` (it
    comes with swinkit). `reported` are percents, but `l1_loss`. What nobody published is None or empty.
    """

    name: str
    task: str
    address: str
    source: str  # the page that publishes it
    licence: str
    size: tuple[int, ...]  # pixels per axis: (h, w), (frames, h, w); for dense tasks (shorter side, longest)
    classes: int  # 0: no classifier
    dialect: str | None = None
    preprocess: dict[str, Any] | None = field(
        default=None, hash=False
    )  # arguments of `data.preprocess.Preprocess.to_crop`
    reported: dict[str, float] = field(default_factory=dict, hash=False)
    sha256: str | None = None  # its first digits
    aliases: tuple[str, ...] = ()
    note: str = ""

    @property
    def variant(self) -> str:
        """Name of the model, one of `models.specs.VARIANTS`."""
        return self.name.partition("/")[0]

    @property
    def dataset(self) -> str:
        """Data set of the training, with the suffix that distinguishes others of the same."""
        return self.name.partition("/")[2]

    @property
    def folder(self) -> Path | None:
        """Folder in the package, for a model that comes with it; else None."""
        inside = self.address.startswith(PACKAGE)
        return Path(__file__).parent / self.address.removeprefix(PACKAGE) if inside else None

    @property
    def repository(self) -> str | None:
        """Name of the repository on the hub; None if the file is elsewhere."""
        return self.address.removeprefix(HUB) if self.address.startswith(HUB) else None


@cache
def published_checkpoints() -> dict[str, Checkpoint]:
    """Return every checkpoint of the table by name."""
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    rows = (read_row(row, table["sources"], table["inputs"]) for row in table["checkpoints"])
    return {row.name: row for row in rows}


def read_row(row: dict[str, Any], sources: dict[str, Any], inputs: dict[str, Any]) -> Checkpoint:
    """Build one row, with the values that it shares with others."""
    source, usual = sources[row["source"]], inputs[row["input"]]
    fields = usual["preprocess"]
    return Checkpoint(
        name=row["name"],
        task=row["task"],
        address=row["address"],
        source=source["page"],
        licence=source["licence"] or UNSTATED,
        size=tuple(usual["size"]),
        classes=row["classes"],
        dialect=row["dialect"],
        preprocess=fields and {key: to_tuples(value) for key, value in fields.items()},
        reported=row["reported"],
        sha256=row.get("sha256"),
        aliases=tuple(row.get("aliases", ())),
        note=row.get("note", ""),
    )


@cache
def aliases() -> dict[str, str]:
    """Return the names of files in other libraries, each with our name."""
    return {alias: row.name for row in published_checkpoints().values() for alias in row.aliases}


def checkpoints_of(variant: str) -> list[Checkpoint]:
    """Return the checkpoints of one variant."""
    return [row for row in published_checkpoints().values() if row.variant == variant]


def find_checkpoint(name: str) -> Checkpoint:
    """Find a checkpoint by `VARIANT/DATASET`, another library's name, or a variant that has just one.

    Raises:
        UsageError: no checkpoint has this name, or several could be meant; the message says what to do.
    """
    rows = published_checkpoints()
    if name in rows:
        return rows[name]
    variant, _, dataset = name.partition("/")
    ours = aliases().get(name, name)
    model = canonical_name(variant)
    known = checkpoints_of(model) if model is not None else []
    for candidate in (ours, f"{model}/{dataset}"):
        if candidate in rows:
            return rows[candidate]
    if len(known) == 1 and not dataset:
        return known[0]
    if model is None or (known and dataset):
        models = [] if known else [*VARIANTS, *ALIASES]
        hint = suggest(name, [*rows, *aliases(), *models])
        there = f" (of {model} there are {join_names(known)})" if known and not hint else ""
        raise UsageError(f"{name}: no such file, folder or checkpoint{hint}{there}")
    if known:
        raise UsageError(f"{name}: several checkpoints are of {model}; name one: {join_names(known)}")
    raise UsageError(
        f"{name}: no published weights of {model} are known; give a file of weights "
        f"(`swinkit.load('file.pth')`), or build it untrained (`swinkit.backbone({model!r})`)"
    )


def join_names(rows: list[Checkpoint]) -> str:
    """Join the names of the first few, for a message."""
    more = len(rows) - SHOWN
    rest = f" and {more} more, which swinkit.checkpoints({rows[0].variant!r}) lists" if more > 0 else ""
    return ", ".join(row.name for row in rows[:SHOWN]) + rest


def is_path(path: Path) -> bool:
    """Return whether this is meant as a file or folder, even where there is none."""
    return path.suffix in SUFFIXES or path.is_absolute()


def require_known_name(name: str) -> None:
    """Refuse a name that is no path, hub repository or checkpoint.

    Raises:
        UsageError: an unknown name, or a run.
    """
    if name.startswith(HUB):
        return
    path = expand_home(name)
    try:
        found = path.exists()
    except OSError:  # loading reports the reason
        return
    if found:
        refuse_run(path)
    elif not is_path(path):
        find_checkpoint(path.as_posix())


def refuse_run(path: Path) -> None:
    """Refuse the folder of a training, which is no model but contains some.

    Raises:
        UsageError: it is one.
    """
    if all((path / name).is_file() for name in RUN):
        best = path / "best"
        advice = f"give {best}" if best.is_dir() else "it has no model before its first epoch is over"
        raise UsageError(f"{path} is a run; {advice}")

"""Targets of a conversion: the dialect and the form for `--to NAME` and the output's name."""

from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError
from ..models.catalogue import suggest
from ..models.config import family_of
from ..weights.configs import BACKBONE, CLASSIFIER, RECONSTRUCTION
from ..weights.dialect_table import DIALECTS
from .formats import SUFFIXES, TARGETS, require_form
from .source import Source

WRAPPERS = {
    "microsoft": "model",
    "detectron2": "model",
    "openmmlab": "state_dict",
    "mmaction2": "state_dict",
}  # what their loaders open; the others take tensors
HELD = {"timm": (CLASSIFIER,), "swinkit": (CLASSIFIER, RECONSTRUCTION)}  # in folders; else of any kind


@dataclass(frozen=True)
class Target:
    """Dialect and form of the output.

    `wrapper` names the dictionary inside a torch file that holds the tensors. `ranks` is how many processes a
    Swin-MoE is cut for, into a folder of their files.
    """

    dialect: str
    is_folder: bool
    wrapper: str | None
    ranks: int | None = None


def target_of(to: str, out: Path, source: Source, ranks: int | None = None) -> Target:
    """Return the dialect of `to` for this model, in the form that the name of `out` and `ranks` ask for.

    Raises:
        UsageError: no such target, or one that has no such form.
    """
    dialect = dialect_for(to, source)
    if ranks is not None:
        if dialect != "microsoft" or family_of(source.spec) != "moe":
            raise UsageError("ranks are files of a Swin-MoE in the names of microsoft; leave --ranks out")
        require_form(out, dialect, ranks)
        return Target(dialect, True, None, ranks)
    library = next((name for name in TARGETS if dialect.startswith(name)), dialect)
    require_form(out, dialect)
    if out.suffix in SUFFIXES:
        return Target(dialect, False, WRAPPERS.get(library) if out.suffix == ".pth" else None)
    if library in HELD and source.kind not in HELD[library]:
        raise UsageError(f"{out}: a folder for {library} holds a classifier; name a file, {out}.safetensors")
    return Target(dialect, True, None)


def dialect_for(to: str, source: Source) -> str:
    """Return the dialect that `to` means for a model; a library's name means the dialect that fits it.

    Raises:
        UsageError: there is no such target.
    """
    require_known_target(to)
    return PICKED[to](source) if to in PICKED else DIALECTS[to].name


def require_known_target(to: str) -> None:
    """Raise UsageError unless `to` is a library or a dialect."""
    known = [*TARGETS, *(name for name in DIALECTS if name not in TARGETS)]
    if to not in known:
        targets = ", ".join(TARGETS)
        raise UsageError(
            f"cannot convert to {to!r}{suggest(to, known)} (known: {targets}; or a dialect such as "
            "openmmlab-fork, see docs/convert.md)"
        )


def choose_microsoft(source: Source) -> str:
    """Choose between the classification code and SimMIM."""
    return "microsoft-simmim" if source.kind == RECONSTRUCTION else "microsoft"


def choose_timm(source: Source) -> str:
    """Choose between `swin` or `swinv2` and `swinv2_cr`."""
    return "timm-cr" if family_of(source.spec) == "v2-cr" else "timm"


def choose_torchvision(source: Source) -> str:
    """Choose between images and clips."""
    return "torchvision-3d" if len(source.spec.patch) == 3 else "torchvision"


def choose_transformers(source: Source) -> str:
    """Choose between V1 and V2, with a head or as a backbone."""
    version = "-v2" if family_of(source.spec) == "v2" else ""
    return f"transformers{version}{'-backbone' if source.kind == BACKBONE else ''}"


def choose_openmmlab(source: Source) -> str:
    """Choose mmaction2 for clips, mmpretrain for classifiers, the dense libraries for backbones."""
    if len(source.spec.patch) == 3:
        return "mmaction2"
    if source.kind == BACKBONE:
        return "openmmlab-dense"
    return "openmmlab-v2" if family_of(source.spec) == "v2" else "openmmlab"


PICKED = {
    "microsoft": choose_microsoft,
    "timm": choose_timm,
    "torchvision": choose_torchvision,
    "transformers": choose_transformers,
    "openmmlab": choose_openmmlab,
}

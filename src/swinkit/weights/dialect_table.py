"""Table of all dialects by name, and the detection of a file's dialect from its names."""

import difflib

from ..errors import DataError, UsageError, listed
from ..files.contents import State
from .dialect import Dialect, NameMatch
from .dialects.detectron2 import DETECTRON2
from .dialects.microsoft import MICROSOFT, MICROSOFT_SIMMIM
from .dialects.openmmlab import (
    MMACTION2,
    OPENMMLAB,
    OPENMMLAB_DENSE,
    OPENMMLAB_FORK,
    OPENMMLAB_V2,
    OPENMMLAB_VIDEO,
    OPENMMLAB_VIDEO_BACKBONE,
)
from .dialects.timm import TIMM, TIMM_CR
from .dialects.torchvision import TORCHVISION, TORCHVISION_3D
from .dialects.transformers import (
    TRANSFORMERS,
    TRANSFORMERS_BACKBONE,
    TRANSFORMERS_LEGACY,
    TRANSFORMERS_LEGACY_BACKBONE,
    TRANSFORMERS_V2,
    TRANSFORMERS_V2_BACKBONE,
)
from .rules import Rename

SWINKIT = Dialect(
    "swinkit",
    (
        *(Rename(f"{part}.**", f"{part}.**") for part in ("backbone", "head", "norms")),
        Rename("mask_token", "mask_token"),
    ),
)
SWINKIT_BACKBONE = Dialect(
    "swinkit-backbone",
    tuple(Rename(f"{part}.**", f"backbone.{part}.**") for part in ("embed", "position", "stages")),
)

DIALECTS: dict[str, Dialect] = {
    "swinkit": SWINKIT,
    "swinkit-backbone": SWINKIT_BACKBONE,
    "microsoft": MICROSOFT,
    "timm": TIMM,
    "timm-old": MICROSOFT,  # before 0.9, the same names
    "timm-cr": TIMM_CR,
    "torchvision": TORCHVISION,
    "torchvision-3d": TORCHVISION_3D,
    "microsoft-simmim": MICROSOFT_SIMMIM,
    "transformers": TRANSFORMERS,
    "transformers-legacy": TRANSFORMERS_LEGACY,
    "transformers-v2": TRANSFORMERS_V2,
    "transformers-backbone": TRANSFORMERS_BACKBONE,
    "transformers-legacy-backbone": TRANSFORMERS_LEGACY_BACKBONE,
    "transformers-v2-backbone": TRANSFORMERS_V2_BACKBONE,
    "openmmlab": OPENMMLAB,
    "openmmlab-v2": OPENMMLAB_V2,
    "openmmlab-dense": OPENMMLAB_DENSE,
    "openmmlab-fork": OPENMMLAB_FORK,
    "detectron2": DETECTRON2,
    "openmmlab-video": OPENMMLAB_VIDEO,
    "openmmlab-video-backbone": OPENMMLAB_VIDEO_BACKBONE,
    "mmaction2": MMACTION2,
}

LIBRARIES = (
    "Microsoft",
    "timm",
    "torchvision",
    "transformers",
    "OpenMMLab",
    "detectron2",
    "swinkit",
)  # some have several dialects


def dialect_named(name: str) -> Dialect:
    """Return the dialect of that name.

    Raises:
        UsageError: there is none; the message lists those there are.
    """
    if name not in DIALECTS:
        near = difflib.get_close_matches(name, DIALECTS, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UsageError(f"no dialect {name!r}; {hint}there are {', '.join(DIALECTS)}")
    return DIALECTS[name]


def detect(state: State) -> Dialect:
    """Find the dialect in which `state` is a whole Swin (or most of one) with the fewest names left over.

    The names of merges, blocks and embedding decide, and the axes of the embedding, never the head, which a
    file may lack; any prefix (`module.`, `model.`, `backbone.`) may precede all names. Where two dialects
    read a file alike, the result is the one that itself writes the nearer prefix.

    Raises:
        DataError: none fits, or two fit and read different things.
    """
    names = tuple(state)
    different = {dialect.name: dialect for dialect in DIALECTS.values()}.values()
    matches = [
        (dialect, match)
        for dialect in different
        if (match := dialect.match(names)) and match.stages and dialect.takes(state, match)
    ]
    fits = [(dialect, match) for dialect, match in matches if match.is_whole] or matches
    if not fits:
        raise DataError(
            f"no Swin in the names of {', '.join(LIBRARIES[:-1])} or {LIBRARIES[-1]}; "
            f"the names begin with {listed(names, 2)}"
        )
    fits.sort(key=lambda fit: (*left_over(fit[1]), fit[0].distance(fit[1])))
    best, match = fits[0]
    for rival, other in fits[1:]:
        if left_over(other) == left_over(match) and other.renamed != match.renamed:
            raise DataError(
                f"the names could be those of {best.name} or of {rival.name}, which read "
                f"{listed(differing(match, other))} differently; choose one: dialect={best.name!r}, or --from"
            )
    return best


def left_over(match: NameMatch) -> tuple[int, int]:
    """Return the number of unexplained names, and of names of parts that are no Swin.

    One less where they can be a classifier, so that a dialect of classifiers comes before one of backbones.
    """
    return len(match.unexplained) - bool(match.classifier), len(match.unused)


def differing(one: NameMatch, other: NameMatch) -> list[str]:
    """Return the names of a file that two matches read differently."""
    return [
        name for name in {**one.renamed, **other.renamed} if one.renamed.get(name) != other.renamed.get(name)
    ]

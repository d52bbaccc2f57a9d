"""All dialects by name, and telling from a file's names which one it speaks."""

import difflib

from ..errors import DataError, UsageError
from .dialect import Dialect, Plan, listed
from .microsoft import MICROSOFT
from .openmmlab import OPENMMLAB, OPENMMLAB_VIDEO, OPENMMLAB_VIDEO_BACKBONE
from .rules import Rename, State
from .timm import TIMM
from .torchvision import TORCHVISION, TORCHVISION_3D

SWINKIT = Dialect(
    "swinkit", tuple(Rename(f"{part}.**", f"{part}.**") for part in ("backbone", "head", "norms"))
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
    "torchvision": TORCHVISION,
    "torchvision-3d": TORCHVISION_3D,
    "openmmlab": OPENMMLAB,
    "openmmlab-video": OPENMMLAB_VIDEO,
    "openmmlab-video-backbone": OPENMMLAB_VIDEO_BACKBONE,
}


def dialect_named(name: str) -> Dialect:
    """The dialect of that name.

    Raises:
        UsageError: there is none; the message lists those there are.
    """
    if name not in DIALECTS:
        near = difflib.get_close_matches(name, DIALECTS, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UsageError(f"no dialect {name!r}; {hint}there are {', '.join(DIALECTS)}")
    return DIALECTS[name]


def detect(state: State) -> Dialect:
    """The dialect in which `state` is a whole Swin (or else most of one) with the fewest names left over.

    Decided from where merges, blocks and embedding stand and from the axes of the embedding, never from
    the head, which a file may lack; any prefix (`module.`, `model.`, `backbone.`) may stand before all
    names. Where two dialects read the same thing, the one that needs the shorter prefix is named.

    Raises:
        DataError: none fits, or two fit and read different things.
    """
    names = tuple(state)
    different = {dialect.name: dialect for dialect in DIALECTS.values()}.values()
    plans = [
        (dialect, plan)
        for dialect in different
        if (plan := dialect.plan(names)) and plan.stages and dialect.takes(state, plan)
    ]
    fits = [(dialect, plan) for dialect, plan in plans if plan.is_whole] or plans
    if not fits:
        raise DataError(
            f"no Swin in a known naming scheme: the {len(names)} names begin with {listed(names)}; "
            f"the known schemes are {', '.join(DIALECTS)}"
        )
    fits.sort(key=lambda fit: (len(fit[1].unexplained), len(fit[1].prefix)))
    best, plan = fits[0]
    for rival, other in fits[1:]:
        if len(other.unexplained) == len(plan.unexplained) and other.renamed != plan.renamed:
            raise DataError(
                f"the names could be those of {best.name} or of {rival.name}, which read "
                f"{listed(differing(plan, other))} differently; say which dialect it is"
            )
    return best


def differing(one: Plan, other: Plan) -> list[str]:
    """Their names that two plans read differently."""
    return [
        name for name in {**one.renamed, **other.renamed} if one.renamed.get(name) != other.renamed.get(name)
    ]

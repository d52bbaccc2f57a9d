"""From a name to a variant: our names, other libraries' names, and did-you-mean. Torch-free."""

import difflib
import re

from ..errors import UsageError
from .specs import VARIANTS, Variant

# What the official stems say after the input size: where and on what the weights were trained.
TRAINING = re.compile(
    r"(_22k|_in22k|_22kto1k|_22kto1k_finetune|_22kto1k_ft|_finetune|_(kinetics[46]00|sthv2)(_1k|_22k)?|__\d+ep)?"
    r"(-[0-9a-f]{8})?$"  # torchvision's hash
)
PRETRAINING = re.compile(r"^simmim_(pretrain|finetune)__")
ALIASES: dict[str, str] = {alias: name for name, variant in VARIANTS.items() for alias in variant.aliases}


def canonical(name: str) -> str | None:
    """Our name of a variant, given ours, an official file stem, timm's or torchvision's name; else None."""
    if name in VARIANTS:
        return name
    stem = TRAINING.sub("", PRETRAINING.sub("", name.split(".")[0]))  # timm's tags and suffixes follow a dot
    with_patch = stem.replace("_window", "_patch4_window")  # timm's V2 names leave the patch out
    return ALIASES.get(stem) or ALIASES.get(with_patch)


def find(name: str) -> tuple[str, Variant]:
    """A variant and our name for it.

    Raises:
        UsageError: no variant has this name; the message suggests the nearest.
    """
    found = canonical(name)
    if found is None:
        raise UsageError(
            f"unknown model {name!r}{did_you_mean(name, [*VARIANTS, *ALIASES])}; `swinkit models` lists all"
        )
    return found, VARIANTS[found]


def did_you_mean(word: str, known: list[str]) -> str:
    """The words ", did you mean 'x'?" for the nearest known word, or nothing."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f", did you mean {near[0]!r}?" if near else ""

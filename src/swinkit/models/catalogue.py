"""Catalogue of variants: search by our name, another library's name, or the numbers. Torch-free."""

import difflib
import re

from ..core.spec import Size, Spec
from ..errors import UsageError
from .families import SpecContinuous, SpecMoE
from .specs import VARIANTS, Variant

NOTE = re.compile(r" \(.*\)$")
HASH = re.compile(r"-[0-9a-f]{8}$")  # torchvision's
# The method that a backbone was trained for or with, before its name.
METHOD = re.compile(
    r"^(simmim_(pretrain|finetune)__|"
    r"(moby_)?((cascade_)?mask_rcnn|(mask_)?reppointsv2|atss|sparse_rcnn|htc\+\+|upernet)_)"
)
# The data and the machine that weights were trained with, after the input size.
TRAINING = re.compile(
    r"_(in22k|22k|22kto1k|22kto1k_finetune|22kto1k_ft|22kft1k|finetune|[136]x|512x512|22k_640|\d+gpu_22k|_\d+ep|"
    r"(kinetics[46]00|sthv2)(_1k|_22k)?)$"
)
ALIASES: dict[str, str] = {alias: name for name, variant in VARIANTS.items() for alias in variant.aliases}


def canonical_name(name: str) -> str | None:
    """Return our name of a variant, given ours or another library's; None if it is unknown.

    Known are the stems of the official files, ids of the hub, and timm's and torchvision's names. The name of
    a detector or segmenter gives its backbone.
    """
    stem = NOTE.sub("", name).rsplit("/", 1)[-1].split(".")[0]  # timm's tags and suffixes follow a dot
    if stem in VARIANTS:
        return stem
    stem = HASH.sub("", stem).replace("-", "_")  # ids of the hub are written with dashes
    if stem in ALIASES:
        return ALIASES[stem]
    stem = TRAINING.sub("", METHOD.sub("", stem))
    with_patch = stem.replace("_window", "_patch4_window")  # timm's V2 names leave the patch out
    return ALIASES.get(stem) or ALIASES.get(with_patch)


def find_variant(name: str) -> tuple[str, Variant]:
    """Return a variant and our name for it.

    Raises:
        UsageError: no variant has this name; the message suggests the nearest.
    """
    found = canonical_name(name)
    if found is None:
        raise UsageError(
            f"unknown model {name!r}{suggest(name, [*VARIANTS, *ALIASES])}; `swinkit models` lists all"
        )
    return found, VARIANTS[found]


def outline(spec: Spec) -> tuple[object, ...]:
    """Return the numbers that differ between variants and can be read from weights."""
    references = spec.reference_windows if isinstance(spec, SpecContinuous) else None
    experts = (spec.moe_blocks, spec.num_experts, spec.router) if isinstance(spec, SpecMoE) else None
    numbers = spec.patch, spec.embed_dim, spec.depths, spec.num_heads, spec.window_sizes
    return type(spec), *numbers, references, experts


def variant_name(spec: Spec) -> str | None:
    """Return the name of the first variant with these numbers; None if there is none."""
    return next((name for name, v in VARIANTS.items() if outline(v.spec) == outline(spec)), None)


def variant_of(spec: Spec) -> Variant | None:
    """Return the first variant with these numbers; None if there is none."""
    name = variant_name(spec)
    return None if name is None else VARIANTS[name]


def find_similar(kind: type[Spec], patch: Size, embed_dim: int, depths: tuple[int, ...]) -> list[str]:
    """Return the names of the variants of one kind with these widths and depths, with any windows."""
    wanted = kind, patch, embed_dim, depths
    every = ((name, variant.spec) for name, variant in VARIANTS.items())
    return [name for name, s in every if (type(s), s.patch, s.embed_dim, s.depths) == wanted]


def suggest(word: str, known: list[str]) -> str:
    """Return ", did you mean 'x'?" for the nearest known word; "" if none is near."""
    near = find_nearest(word, known)
    return "" if near is None else f", did you mean {near!r}?"


def find_nearest(word: str, known: list[str]) -> str | None:
    """Return the known word nearest to `word`; None if none is near.

    The nearest is one with a typing error, then the longest that `word` begins with, then any similar one.
    """
    slips, alike = (difflib.get_close_matches(word, known, n=1, cutoff=cutoff) for cutoff in (0.85, 0.6))
    prefixes = sorted(filter(word.startswith, known), key=len, reverse=True)
    return next(iter([*slips, *prefixes, *alike]), None)

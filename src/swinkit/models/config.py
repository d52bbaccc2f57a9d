"""JSON form of a spec, for saved models. Torch-free; nothing named in the JSON is run.

Its numbers have limits: a file from a stranger can name any, and building a model of a thousand million
blocks takes hours.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from ..core.spec import Spec
from ..errors import DataError
from .families import SpecCR, SpecMLP, SpecMoE, SpecV2

SPEC_TYPES: dict[str, type[Spec]] = {
    "v1": Spec,
    "v2": SpecV2,
    "v2-cr": SpecCR,
    "mlp": SpecMLP,
    "moe": SpecMoE,
    "video": Spec,
}
LARGEST: dict[
    str, float
] = {  # generous: the largest published Swin has 512 channels, 58 blocks, windows of 24, 32 experts
    "patch": 1024,
    "merge": 16,
    "in_channels": 2**16,
    "embed_dim": 2**14,
    "depths": 512,
    "num_heads": 2**12,
    "window_sizes": 1024,
    "pretrained_window_sizes": 1024,
    "absolute_grid": 2**14,
    "mlp_ratio": 64.0,
    "norm_every": 512,
    "moe_blocks": 512,
    "num_experts": 2**12,
    "top_k": 2**12,
    "capacity_factor": 2**12,
    "router_dim": 2**14,
}
MOST_STAGES, MOST_AXES, MOST_BLOCKS = 8, 3, 512
FRACTIONS = ("mlp_ratio", "capacity_factor")
NEGATIVE = ("capacity_factor",)  # below 0: a limit on the slots that are needed
FLAGS = (
    "qkv_bias",
    "patch_norm",
    "norm_stages",
    "normalise_gates",
    "batch_prioritised",
    "mlp_output_bias",
    "expert_output_bias",
)
OPEN_FLAGS = ("expert_output_bias",)  # that may also be None


def family_of(spec: Spec) -> str:
    """Return the family of a spec, by its type, and by its axes where families share a type."""
    if type(spec) is Spec:
        return "video" if len(spec.patch) == 3 else "v1"
    return next(family for family, kind in SPEC_TYPES.items() if type(spec) is kind)


def spec_to_json(spec: Spec) -> dict[str, Any]:
    """Return every field by name; JSON writes tuples as lists."""
    return asdict(spec)


def spec_from_json(family: str, values: dict[str, Any]) -> Spec:
    """Return the spec that `spec_to_json` wrote.

    Raises:
        DataError: an unknown family or field, or values that no Swin can be built from.
    """
    if family not in SPEC_TYPES:
        raise DataError(f"config.json: unknown family {family!r} (known: {', '.join(SPEC_TYPES)})")
    kind = SPEC_TYPES[family]
    unknown = sorted(set(values) - {field.name for field in fields(kind)})
    if unknown:
        raise DataError(
            f"config.json: unknown fields of spec: {', '.join(unknown)}; saved by a later swinkit?"
        )
    try:
        arguments = {name: to_tuples(value) for name, value in values.items()}
        require_plausible(arguments)
        return kind(**arguments)
    except (TypeError, ValueError) as error:
        raise DataError(f"config.json: not a spec: {error}") from None


def to_tuples(value: Any) -> Any:
    """Turn lists, at any depth, into tuples."""
    return tuple(to_tuples(item) for item in value) if isinstance(value, list | tuple) else value


def require_plausible(values: Mapping[str, Any]) -> None:
    """Raise ValueError, naming the field, if a number of a spec has another type or is implausibly large.

    `values` are the fields of a spec by name. This is called before the spec is built, which can take long.
    """
    for name, most in (("depths", MOST_STAGES), ("patch", MOST_AXES)):
        entries = values.get(name, ())
        if isinstance(entries, tuple) and len(entries) > most:
            raise ValueError(f"{name} has {len(entries)} entries; there may be {most}")
    for name in LARGEST.keys() & values.keys():
        kinds = int | float if name in FRACTIONS else int
        least = -LARGEST[name] if name in NEGATIVE else 0
        for number in numbers_in(values[name]):
            fits = isinstance(number, kinds) and not isinstance(number, bool)
            if not fits or not least <= number <= LARGEST[name]:
                whole = "a number" if name in FRACTIONS else "a whole number"
                raise ValueError(f"{name} has {number!r}; it must be {whole} from {least} to {LARGEST[name]}")
    for name in FLAGS:
        open_flag = name in OPEN_FLAGS and values.get(name) is None
        if not open_flag and not isinstance(values.get(name, True), bool):
            raise ValueError(f"{name} is {values[name]!r}; it must be true or false")
    scale = values.get("qk_scale")
    number = isinstance(scale, int | float) and not isinstance(scale, bool)
    if scale is not None and not (number and math.isfinite(scale) and scale > 0):
        raise ValueError(f"qk_scale is {scale!r}; it must be a number above 0, or None")
    blocks = sum(numbers_in(values.get("depths")))
    if blocks > MOST_BLOCKS:
        raise ValueError(f"depths has {blocks} blocks; there may be {MOST_BLOCKS}")


def numbers_in(value: Any) -> list[Any]:
    """Return the numbers in nested tuples; [] for None."""
    if isinstance(value, tuple):
        return [number for item in value for number in numbers_in(item)]
    return [] if value is None else [value]

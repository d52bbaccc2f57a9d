"""Limits of the numbers in a spec that was read from a file. Torch-free.

A file from a stranger can name any number, and building a model of a thousand million blocks takes hours.
"""

import math
from collections.abc import Mapping
from typing import Any

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

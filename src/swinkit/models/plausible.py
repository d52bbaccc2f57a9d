"""How large a spec read from a file may be. Torch-free.

A file from a stranger can name any number; a model of a thousand million blocks would take hours to refuse.
"""

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


def require_plausible(values: Mapping[str, Any]) -> None:
    """Raise ValueError, naming the field, if a number of a spec is no whole one or too large to be meant.

    `values` are the fields of a spec by name; asked before one is built, for that alone can take long.
    """
    for name, most in (("depths", MOST_STAGES), ("patch", MOST_AXES)):
        entries = values.get(name, ())
        if isinstance(entries, tuple) and len(entries) > most:
            raise ValueError(f"{name} has {len(entries)} entries; there may be {most}")
    for name in LARGEST.keys() & values.keys():
        kinds = int | float if name in FRACTIONS else int
        for number in numbers_in(values[name]):
            if not isinstance(number, kinds) or isinstance(number, bool) or not 0 <= number <= LARGEST[name]:
                raise ValueError(f"{name} has {number!r}; it must be a number from 0 to {LARGEST[name]}")
    blocks = sum(numbers_in(values.get("depths")))
    if blocks > MOST_BLOCKS:
        raise ValueError(f"depths has {blocks} blocks; there may be {MOST_BLOCKS}")


def numbers_in(value: Any) -> list[Any]:
    """What stands in nested tuples; nothing for None."""
    if isinstance(value, tuple):
        return [number for item in value for number in numbers_in(item)]
    return [] if value is None else [value]

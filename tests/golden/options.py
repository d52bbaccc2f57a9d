"""From a reference constructor's arguments to the numbers of our `Spec`."""

import re
from typing import Any

from swinkit.core.spec import Size
from swinkit.errors import DataError

from .case import NotCovered

TINY: dict[str, Any] = {  # the defaults that the papers' code and its descendants share: those of Swin-T
    "embed_dim": 96,
    "depths": [2, 2, 6, 2],
    "num_heads": [3, 6, 12, 24],
    "window_size": 7,
    "mlp_ratio": 4.0,
    "qkv_bias": True,
}
EPSILON = re.compile(r"eps=([\d.e+-]+)")


def complete(given: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments, with the reference constructor's own defaults for those not given.

    Raises:
        DataError: an argument that the constructor does not have.
        NotCovered: another norm than LayerNorm with its usual epsilon, or another activation than GELU.
    """
    if unknown := sorted(set(given) - set(defaults)):
        raise DataError(f"the constructor has options unknown here: {', '.join(unknown)}")
    for option, known in (("norm_layer", "layernorm"), ("act_layer", "gelu")):
        value = given.get(option)
        named = str(value.get("type", "") if isinstance(value, dict) else value or known).lower()
        epsilon = value.get("eps") if isinstance(value, dict) else EPSILON.search(named)
        usual = epsilon is None or float(epsilon if isinstance(value, dict) else epsilon[1]) == 1e-5
        if (known not in named and named != "ln") or not usual:
            raise NotCovered(f"{option} {value!r}")
    return {**defaults, **given}


def sizes(value: int | list[int] | tuple[int, ...], axes: int = 2) -> Size:
    """Return one number for all axes, or one for each, as references take them."""
    return tuple(int(v) for v in value) if isinstance(value, list | tuple) else (int(value),) * axes


def numbers(
    options: dict[str, Any], *, dropout: str, attention_dropout: str, drop_path: str
) -> dict[str, Any]:
    """Return the arguments that all references share, and the three rates under each one's names."""
    return {
        "embed_dim": options["embed_dim"],
        "depths": tuple(options["depths"]),
        "num_heads": tuple(options["num_heads"]),
        "mlp_ratio": float(options["mlp_ratio"]),
        "dropout": float(options[dropout]),
        "attention_dropout": float(options[attention_dropout]),
        "drop_path": float(options[drop_path]),
    }

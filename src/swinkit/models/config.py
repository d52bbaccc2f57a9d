"""Write a spec as JSON and read it back, for saved models. Torch-free; nothing named in the JSON is run."""

from dataclasses import asdict, fields
from typing import Any

from ..core.spec import Spec
from ..errors import DataError
from .families import SpecCR, SpecMLP, SpecMoE, SpecV2
from .plausible import require_plausible

SPEC_TYPES: dict[str, type[Spec]] = {
    "v1": Spec,
    "v2": SpecV2,
    "v2-cr": SpecCR,
    "mlp": SpecMLP,
    "moe": SpecMoE,
    "video": Spec,
}


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

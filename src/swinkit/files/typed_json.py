"""Reader of JSON from strangers, which checks the type and the size of every value. Torch-free."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.spec import Size
from ..errors import DataError

LARGEST_FILE = 2**24  # bytes; a config.json with ImageNet-22k's classes has two million
LARGEST_NUMBER = 2**16  # of channels, pixels, tokens, blocks: no Swin comes near
MOST_STAGES = 8
MOST_CLASSES = 2**20


@dataclass(frozen=True)
class Settings:
    """JSON object from the file `name`. A value that is absent or null is the `default` of its method.

    Raises:
        DataError: in all that reads, naming the file, the setting and what it must be.
    """

    name: str
    values: dict[str, Any]

    def integer(self, key: str, default: int, *, least: int = 1) -> int:
        """Return an integer of at least `least`."""
        return self.whole(key, self.get(key, default), least, LARGEST_NUMBER)

    def integers(self, key: str, default: tuple[int, ...]) -> tuple[int, ...]:
        """Return one integer for each stage."""
        values = self.listed(key, default)
        self.require(1 <= len(values) <= MOST_STAGES, key, f"a list of 1 to {MOST_STAGES} numbers")
        return tuple(self.whole(key, value, 1, LARGEST_NUMBER) for value in values)

    def size(self, key: str, default: Size) -> Size:
        """Return (h, w) in pixels or tokens; one number means a square."""
        value = self.get(key, list(default))
        return self.pair(key, value)

    def pair(self, key: str, value: Any) -> Size:
        """Return `value` as (h, w)."""
        values = value if isinstance(value, list) else [value, value]
        self.require(len(values) == 2, key, "one number or two, (height, width)")
        return tuple(self.whole(key, side, 1, LARGEST_NUMBER) for side in values)

    def sizes(self, key: str, default: Size, stages: int) -> list[Size]:
        """Return a size for each stage, from one number, one pair, or a number or pair a stage; 0 is (0, 0).

        Entries for stages that are not there are passed over, as timm and transformers do.
        """
        value = self.get(key, list(default))
        alone = not isinstance(value, list) or (len(value) == 2 and not isinstance(value[0], list))
        entries = [value] * stages if alone else value
        self.require(len(entries) >= stages, key, f"one size, or one for each of {stages} stages")
        return [(0, 0) if entry == 0 else self.pair(key, entry) for entry in entries[:stages]]

    def by_number(self, key: str, names: dict[str, Any]) -> list[str]:
        """Return the texts of an object that numbers them: {"0": "cat", "1": "dog"} -> ["cat", "dog"]."""
        found = [names.get(str(number)) for number in range(len(names))]
        right = len(found) <= MOST_CLASSES and all(isinstance(name, str) for name in found)
        self.require(right, key, "a text for each of the numbers from 0 on")
        return [str(name) for name in found]

    def number(self, key: str, default: float, *, above: float = -math.inf, most: float = 1e4) -> float:
        """Return a finite number above `above`, up to `most`."""
        value = self.get(key, default)
        return self.real(key, value, above, most)

    def colours(self, key: str, default: tuple[float, ...], *, above: float = -math.inf) -> tuple[float, ...]:
        """Return three numbers, for red, green and blue."""
        values = self.listed(key, default)
        self.require(len(values) == 3, key, "three numbers, of red, green and blue")
        return tuple(self.real(key, value, above, 1e4) for value in values)

    def flag(self, key: str, default: bool) -> bool:
        """Return true or false."""
        value = self.get(key, default)
        self.require(isinstance(value, bool), key, "true or false")
        return value

    def text(self, key: str, default: str) -> str:
        """Return a text."""
        value = self.get(key, default)
        self.require(isinstance(value, str), key, "a text")
        return value

    def part(self, key: str) -> "Settings":
        """Return an object within the object; an empty one if it is absent."""
        value = self.get(key, {})
        self.require(isinstance(value, dict), key, "an object")
        return Settings(f"{self.name}: {key}", value)

    def listed(self, key: str, default: tuple[Any, ...]) -> list[Any]:
        """Return a list with elements of any type."""
        value = self.get(key, list(default))
        self.require(isinstance(value, list), key, "a list")
        return value

    def get(self, key: str, default: Any) -> Any:
        """Return the value unchecked."""
        value = self.values.get(key)
        return default if value is None else value

    def whole(self, key: str, value: Any, least: int, most: int) -> int:
        """Check that `value` is an integer from `least` to `most`, and return it."""
        right = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
        self.require(right, key, f"a whole number from {least} to {most}")
        return value

    def real(self, key: str, value: Any, above: float, most: float) -> float:
        """Check that `value` is a finite number above `above` and up to `most`, and return it as a float."""
        right = isinstance(value, int | float) and not isinstance(value, bool) and above < value <= most
        limits = (
            f"a number up to {most:g}" if above == -math.inf else f"a number above {above:g}, up to {most:g}"
        )
        self.require(right, key, limits)
        return float(value)

    def require(self, holds: bool, key: str, rule: str) -> None:
        """Raise DataError unless the condition `holds`."""
        if not holds:
            shown = repr(self.values.get(key))[:60]
            raise DataError(f"{self.name}: {key} is {shown}; it must be {rule}")


def read_settings(path: Path, name: str) -> Settings:
    """Read a JSON object that others wrote; messages call it `name`.

    Raises:
        DataError: it is no JSON object, or too large to be one of settings.
    """
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise DataError(f"{name} has {path.stat().st_size} bytes, too many for settings")
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{name} is no JSON: {error}") from None
    if not isinstance(values, dict):
        raise DataError(f"{name} must hold an object of settings, not a {type(values).__name__}")
    return Settings(name, values)

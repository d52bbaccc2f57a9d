"""Small data sets for tests: pictures that tell their own number."""

from pathlib import Path

from PIL import Image


def numbered(root: Path, count: int, split: str = "train", classes: int = 2, side: int = 8) -> Path:
    """`count` pictures of some classes in turn; the red of a picture is its number."""
    for i in range(count):
        folder = root / split / f"class{i % classes}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (side, side), (i, 0, 0)).save(folder / f"{i:03}.png")
    return root

"""Telling, before anything large is imported, whether a name can be loaded at all. Torch-free."""

from pathlib import Path

from .checkpoints import HUB, locate

SUFFIXES = (".pth", ".pt", ".bin", ".ckpt", ".safetensors", ".pkl", ".zip")


def is_path(path: Path) -> bool:
    """Whether this is meant as a file or folder even where there is none."""
    return path.suffix in SUFFIXES or path.is_absolute()


def require_known(name: str | None) -> None:
    """Refuse a name that is no path, repository of the hub or checkpoint; None is what comes with swinkit.

    Raises:
        UsageError: an unknown name.
    """
    if name is None or name.startswith(HUB):
        return
    path = Path(name)
    try:
        found = path.exists()
    except OSError:  # loading tells why
        return
    if not found and not is_path(path):
        locate(path.as_posix())

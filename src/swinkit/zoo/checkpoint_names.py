"""Check, before anything large is imported, whether a name can be loaded at all. Torch-free."""

from pathlib import Path

from ..errors import UsageError
from .checkpoints import HUB, locate

RUN = ("config.json", "log.jsonl")  # which the folder of a training has, and no model's
SUFFIXES = (".pth", ".pt", ".bin", ".ckpt", ".safetensors", ".pkl", ".zip")


def is_path(path: Path) -> bool:
    """Return whether this is meant as a file or folder, even where there is none."""
    return path.suffix in SUFFIXES or path.is_absolute()


def require_known(name: str | None) -> None:
    """Refuse a name that is no path, hub repository or checkpoint; None is the model in the package.

    Raises:
        UsageError: an unknown name, or a run.
    """
    if name is None or name.startswith(HUB):
        return
    path = Path(name)
    try:
        found = path.exists()
    except OSError:  # loading reports the reason
        return
    if found:
        refuse_run(path)
    elif not is_path(path):
        locate(path.as_posix())


def refuse_run(path: Path) -> None:
    """Refuse the folder of a training, which is no model but contains some.

    Raises:
        UsageError: it is one.
    """
    if all((path / name).is_file() for name in RUN):
        best = path / "best"
        advice = f"give {best}" if best.is_dir() else "it has no model before its first epoch is over"
        raise UsageError(f"{path} is a run; {advice}")

"""Folder of swinkit's cache, and the images that a file, a folder or a pattern names. Torch-free."""

import os
from pathlib import Path
from typing import NoReturn

from ..errors import DataError
from ..type_check import expand_home

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
REMOTE = "swinkit reads local files; download it first"


def cache_root() -> Path:
    """Return the folder of everything that swinkit can download or make again.

    It is `$SWINKIT_CACHE`, else `swinkit` in `$XDG_CACHE_HOME` or in ~/.cache.
    """
    own, shared = os.environ.get("SWINKIT_CACHE"), os.environ.get("XDG_CACHE_HOME")
    return Path(own).expanduser() if own else Path(shared or "~/.cache").expanduser() / "swinkit"


def find_images(path: str | os.PathLike[str]) -> list[Path]:
    """Find the images that a file, a folder or a pattern (`*`, `?`, `[...]`, `**`) names, sorted.

    A folder is searched to its depths for the suffixes of `SUFFIXES`; hidden files and folders and linked
    folders inside it are passed over. A file, and whatever a pattern matches, is taken whatever it is called.

    Raises:
        DataError: there is no such file, a folder cannot be read, or a folder or pattern holds no picture.
    """
    name = os.fsdecode(path)
    name = str(expand_home(name)) if name.startswith("~") else name
    try:
        if name and Path(name).is_dir():
            found = pictures_below(name)
            problem = f"no pictures in this folder (looked for {', '.join(SUFFIXES)})"
        elif name and Path(name).exists():
            return [Path(name)]
        else:
            pattern = any(sign in name for sign in "*?[")
            found = matching(Path(name)) if pattern else []
            problem = "no file matches" if pattern else REMOTE if "://" in name else "no such file or folder"
    except (OSError, ValueError) as error:  # a name too long, a folder closed to us; a null byte
        raise DataError(f"{name!r}: {getattr(error, 'strerror', None) or error}") from None
    if not found:
        raise DataError(f"{name or repr(name)}: {problem}")
    return found


def matching(pattern: Path) -> list[Path]:
    """Find the files that a pattern matches, sorted; no hidden ones, no linked folders for `**`."""
    root, named = Path(pattern.anchor), set(pattern.parts)
    files = (file for file in root.glob(str(pattern.relative_to(root))) if file.is_file())
    return sorted(f for f in files if not any(part.startswith(".") and part not in named for part in f.parts))


def pictures_below(folder: str) -> list[Path]:
    """Find the images in a folder and all its folders, sorted.

    Raises:
        OSError: one of the folders cannot be read.
    """

    def refuse(error: OSError) -> NoReturn:
        raise error

    found = []
    for root, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = (
            Path(root, name) for name in files if name.lower().endswith(SUFFIXES) and not name.startswith(".")
        )
        found += [path for path in paths if path.is_file()]
    return sorted(found)

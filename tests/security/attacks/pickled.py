"""Making hostile files: a pickle's bytes in the zip that torch writes, and objects that run code."""

import os
import zipfile
from pathlib import Path


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.mark),)


def torch_zip(path: Path, data: bytes, **members: bytes) -> Path:
    """A file as torch writes it, with `data` as its pickle and whatever other members."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", data)
        archive.writestr("archive/version", b"3\n")
        archive.writestr("archive/byteorder", b"little")
        for name, content in members.items():
            archive.writestr(name, content)
    return path

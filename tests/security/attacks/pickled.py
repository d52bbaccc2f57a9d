"""Making hostile files: a pickle's bytes in the zip that torch writes, and objects that run code."""

import os
import pickle
import zipfile
from pathlib import Path


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.mark),)


def torch_zip(path: Path, data: bytes, name: str = "archive/data.pkl") -> Path:
    """Return a file as torch writes it, with `data` as its pickle, under whatever name."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, data)
        archive.writestr("archive/version", b"3\n")
        archive.writestr("archive/byteorder", b"little")
    return path


def text(value: str) -> bytes:
    """Return the instruction that makes a string."""
    content = value.encode()
    return b"X" + len(content).to_bytes(4, "little") + content


def number(value: int) -> bytes:
    """Return the instruction that makes a whole number of up to 255 bytes."""
    content = pickle.encode_long(value)
    return b"\x8a" + bytes([len(content)]) + content


# A tuple of itself twice, 64 times over, by the memory: 2**64 tuples to hash.
SHARED = b")q\x00" + b"".join(b"h%c\x86q%c" % (depth, depth + 1) for depth in range(64))

"""Checks of a downloaded file: whole, of a kind that holds weights, and its SHA-256. Torch-free."""

import hashlib
import json
import zipfile
from pathlib import Path

from ..errors import DataError

ZIP = b"PK\x03\x04"
LEGACY = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # magic number of torch's files before 1.6, after the protocol
HEADER = 100_000_000  # bytes that safetensors allows a header


def require_weights(path: Path) -> None:
    """Check that a file is whole and of a kind that holds weights, by its first and last bytes.

    Raises:
        DataError: it is not.
    """
    with path.open("rb") as file:
        begin = file.read(512)
    if begin.lstrip()[:1] == b"<":
        raise DataError("a web page was received instead of the file")
    if begin.startswith(ZIP):
        whole = zipfile.is_zipfile(path)  # because a zip file ends with its list of contents
    elif begin.startswith(b"\x80\x02" + LEGACY):
        whole = True  # because such a file does not hold its length
    else:
        whole = is_safetensors(path, int.from_bytes(begin[:8], "little"))
    if not whole:
        raise DataError("the file was not received whole")


def is_safetensors(path: Path, length: int) -> bool:
    """Return whether the file has a header of `length` bytes and the size that the header gives."""
    size = path.stat().st_size
    if not 2 <= length <= min(HEADER, size - 8):
        return False
    with path.open("rb") as file:
        file.seek(8)
        header = file.read(length)
    try:
        tensors = json.loads(header)
        ends = [tensors[name]["data_offsets"][1] for name in tensors if name != "__metadata__"]
        return 8 + length + max(ends, default=0) == size
    except (ValueError, LookupError, TypeError, RecursionError):
        return False


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

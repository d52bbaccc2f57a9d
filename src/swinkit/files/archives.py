"""Check of the zip file that torch writes: torch's own reader must find the same pickle as Python's.

Torch reads zip files by a library of its own, which ignores the case of names. Anything that the two readers
could understand differently is refused: two names that differ in case only, or a list of contents in an
unusual place.
"""

import struct
import zipfile
from typing import BinaryIO

from ..errors import DataError

END = struct.Struct("<4s4H2LH")  # the list's length and place are the sixth and the seventh; then a comment's
LARGE_END = struct.Struct("<4sQ2H2L4Q")  # the same where files may be large: the last two
LOCATOR = struct.Struct("<4sLQL")  # and where that is


def read_pickle(file: BinaryIO, size: int) -> bytes:
    """Return the pickle in a zip file of `size` bytes.

    Raises:
        DataError: it is no plain file of weights.
        ValueError, BadZipFile, LookupError: it is damaged.
    """
    require_plain_end(file, size)
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > size:
            raise DataError("it is compressed, or its parts overlap; save it with torch.save")
        names = [member.filename.casefold() for member in members]
        if len(set(names)) < len(names):
            raise DataError("it holds two members of one name; save it with torch.save")
        if any("constants.pkl" in name for name in names):
            raise DataError(
                "it is a TorchScript program, not weights; on a machine that you can spare, save what "
                "torch.jit.load(path).state_dict() gives with safetensors.torch.save_file"
            )
        pickles = [m for m, name in zip(members, names, strict=True) if name.rpartition("/")[2] == "data.pkl"]
        if len(pickles) != 1:
            raise DataError(
                f"it holds {len(pickles)} pickles (data.pkl) instead of one; save it with torch.save"
            )
        return archive.read(pickles[0])


def require_plain_end(file: BinaryIO, size: int) -> None:
    """Check that the central directory is the last part, and the only one that any reader can find.

    Raises:
        ValueError: it does not.
    """
    file.seek(max(0, size - END.size - LOCATOR.size - LARGE_END.size))
    tail = file.read()
    end = END.unpack(tail[-END.size :].rjust(END.size, b"\0"))
    length, place, limit = end[5], end[6], size - END.size
    locator = tail[-END.size - LOCATOR.size : -END.size]
    if locator.startswith(b"PK\x06\x07"):
        limit -= LOCATOR.size + LARGE_END.size
        large = LARGE_END.unpack(tail[: LARGE_END.size])
        length, place = large[-2:]
        if not large[0] == b"PK\x06\x06" or LOCATOR.unpack(locator)[2] != limit:
            raise ValueError("its list of contents is not where it should be")
    if end[0] != b"PK\x05\x06" or end[-1] or length + place != limit:
        raise ValueError("its list of contents is not at its end")

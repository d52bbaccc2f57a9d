"""Find and read a Swin-MoE's files of all ranks, in a folder or in the published archive.

Members of an archive are unpacked one at a time into a temporary folder, so that each goes through the same
safe reader as any file.
"""

import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import TypeVar

from ..errors import DataError, EnvironmentProblem, SwinkitError, listed
from ..files.contents import State
from ..files.tensors import read_state
from .ranks import merge

NAME = re.compile(r"(?P<stem>[^.].*\.pth)\.(?:rank(?P<rank>0|[1-9][0-9]{0,4})|(?P<rest>master|global))")
TIMES = 8  # more than this, no weights can be compressed: they are nearly noise
Source = TypeVar("Source")
BROKEN = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError)


def is_ranked(path: str | Path) -> bool:
    """Return whether `path` is a folder or an archive of such files, or one of them."""
    path = Path(path)
    if path.is_dir():
        return any(NAME.fullmatch(child.name) for child in path.iterdir())
    if NAME.fullmatch(path.name):
        return True
    return path.suffix.lower() == ".zip" and zipfile.is_zipfile(path)


def read_ranks(path: str | Path) -> State:
    """Read the whole state, in Microsoft's names, from a folder, an archive, or the folder of one file.

    Raises:
        DataError: a file is missing, damaged or of another model, or the archive is not what it should be.
        EnvironmentProblem: there is no room to unpack the archive's largest member.
    """
    path = Path(path)
    if path.is_dir():
        return whole(path, children(path), read_state)
    found = NAME.fullmatch(path.name)
    if found is not None:
        same = {name: child for name, child in children(path.parent).items() if stem(name) == found["stem"]}
        return whole(path, same, read_state)
    try:
        with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
            return whole(path, members(archive, path), lambda member: unpack(archive, member, Path(folder)))
    except SwinkitError:
        raise
    except OSError as error:
        raise EnvironmentProblem(f"{path} cannot be unpacked: {error.strerror or error}") from None
    except BROKEN as error:
        raise DataError(f"{path} is no whole archive ({error}); download it again") from None


def children(folder: Path) -> dict[str, Path]:
    """Return the files of ranks in a folder, by name."""
    return {child.name: child for child in sorted(folder.iterdir()) if NAME.fullmatch(child.name)}


def stem(name: str) -> str:
    """Return the common part of the names of one checkpoint's files."""
    found = NAME.fullmatch(name)
    return found["stem"] if found else ""


def whole(path: Path, files: dict[str, Source], read: Callable[[Source], State]) -> State:
    """Read and merge the files of one checkpoint, given by name.

    Raises:
        DataError: there are none, those of several checkpoints, or not those of all ranks.
    """
    stems = sorted({stem(name) for name in files})
    if len(stems) != 1:
        raise DataError(
            f"{path} holds several checkpoints, {listed(stems)}; give one of its files"
            if stems
            else f"{path} holds no files of ranks, such as NAME.pth.rank0 and NAME.pth.master"
        )
    rest = {name.removeprefix(f"{stems[0]}."): source for name, source in files.items()}
    numbers = sorted(int(name.removeprefix("rank")) for name in rest if name.startswith("rank"))
    if not numbers:
        if "global" not in rest:
            raise DataError(f"{path} has no file of any rank, only what they share; add {stems[0]}.rank0 ...")
        return read(rest["global"])
    missing = sorted(set(range(numbers[-1] + 1)) - set(numbers))
    if missing:
        raise DataError(f"{path} lacks {listed(f'{stems[0]}.rank{number}' for number in missing)}")
    ranks = [read(rest[f"rank{number}"]) for number in numbers]
    return merge(ranks, read(rest["master"]) if "master" in rest else None)


def members(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    """Return the files of ranks in an archive, by the last part of their names.

    Raises:
        DataError: a member is encrypted, has a name that no such archive needs, or is far too large.
    """
    infos = [info for info in archive.infolist() if not info.is_dir()]
    odd = [info.filename for info in infos if is_odd(info)]
    if odd:
        raise DataError(f"{path}: {listed(odd)} are no members of an archive of weights, so it is refused")
    if sum(info.file_size for info in infos) > TIMES * path.stat().st_size:
        raise DataError(
            f"{path} would unpack to more than {TIMES} times its size, as no weights do, so it is refused"
        )
    names = [PurePosixPath(info.filename).name for info in infos]
    twice = duplicates(name for name in names if NAME.fullmatch(name))
    if twice:
        raise DataError(
            f"{path} holds {listed(twice)} more than once, in different folders; unpack one of them"
        )
    return {name: info for name, info in zip(names, infos, strict=True) if NAME.fullmatch(name)}


def is_odd(info: zipfile.ZipInfo) -> bool:
    """Return whether a member is encrypted, a link, or named to be unpacked elsewhere."""
    name = info.filename
    return (
        bool(info.flag_bits & 1)
        or stat.S_ISLNK(info.external_attr >> 16)
        or ".." in PurePosixPath(name).parts
        or name.startswith("/")
        or any(sign in name for sign in "\\:\0")
    )


def duplicates(names: Iterable[str]) -> list[str]:
    """Return the names that occur more than once."""
    listing = list(names)
    return sorted({name for name in listing if listing.count(name) > 1})


def unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> State:
    """Read the tensors of one member.

    Raises:
        DataError: it is damaged, or holds more than tensors.
    """
    target = folder / PurePosixPath(member.filename).name
    try:
        with archive.open(member) as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy)
        return read_state(target)
    except DataError as error:
        raise DataError(
            f"in {archive.filename}: {str(error).replace(str(target), member.filename)}"
        ) from None
    finally:
        target.unlink(missing_ok=True)

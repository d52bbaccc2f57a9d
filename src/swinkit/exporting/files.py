"""Files in another library's layout: written beside their place, read back, and only then named.

Whatever goes wrong on the way, an interrupt too, leaves what was there before and nothing else.
"""

import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from ..errors import EnvironmentProblem, UsageError
from ..files.disk import sync
from ..files.folder import CONFIG, WEIGHTS, take_name
from ..files.state import State
from ..files.tensors import read_state

PROCESSOR = "preprocessor_config.json"
OURS = (WEIGHTS, CONFIG, PROCESSOR)  # what a folder may hold that is replaced
METADATA = {"format": "pt"}  # transformers reads no safetensors file without it


def refuse_to_replace(out: Path, *, force: bool) -> None:
    """Raise unless `out` may be written.

    Raises:
        UsageError: it exists and `force` is not given, or it is something else than what we would write, or
            the folder that it is to lie in does not exist.
    """
    if not out.parent.is_dir():
        raise UsageError(f"{out.parent}: no such folder; make it first")
    if not out.exists() and not out.is_symlink():
        return
    if not force:
        raise UsageError(f"{out} exists; choose another name, or replace it with --force")
    if out.is_symlink() or not (out.is_file() or out.is_dir()):
        raise UsageError(f"{out} is no plain file or folder, so it is not replaced; choose another name")
    strangers = (
        sorted(entry.name for entry in out.iterdir() if entry.name not in OURS) if out.is_dir() else []
    )
    if strangers:
        raise UsageError(f"{out} holds {strangers[0]!r}, which would be lost; choose another folder")


def refuse_source(source: str | os.PathLike[str], out: Path) -> None:
    """Raise unless `out` can be written without touching what is read.

    Raises:
        UsageError: one of them is, or contains, the other.
    """
    path = Path(source)
    if not path.exists():  # a name, not a path; loading will tell
        return
    one, other = path.resolve(), out.resolve()
    if one == other or one in other.parents or (other in one.parents and out.is_dir()):
        raise UsageError(f"{out} is {source} itself, or one lies in the other; write somewhere else")


@contextmanager
def landing(out: Path) -> Iterator[Path]:
    """A name beside `out`, with the same ending, to be written to inside; it becomes `out` at the end.

    Raises:
        EnvironmentProblem: there is no space, or no permission to write.
    """
    token = uuid.uuid4().hex[:8]
    partial, old = (out.with_name(f".{out.stem}.{token}.{end}{out.suffix}") for end in ("partial", "old"))
    try:
        yield partial
        for place in [*(partial.iterdir() if partial.is_dir() else ()), partial]:
            sync(place)
        if out.is_dir():
            take_name(partial, out, old)
        else:
            partial.replace(out)
            sync(out.parent)
    except OSError as error:
        reason = error.strerror or str(error)
        raise EnvironmentProblem(f"{out} cannot be written ({reason}); nothing there was changed") from None
    finally:
        remove(partial)
        if out.exists():
            remove(old)


def remove(path: Path) -> None:
    """Delete a file or folder if it is there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def write_tensors(path: Path, state: State, wrapper: str | None = None) -> None:
    """One file; `wrapper` names the dictionary inside a torch file that holds the tensors.

    Raises:
        OSError: it cannot be written, or does not read back as it was written.
    """
    tensors = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in state.items()}
    path.touch()
    mode = path.stat().st_mode & 0o777  # who may read it; safetensors would keep the file to its owner
    try:
        if path.suffix == ".safetensors":
            save_file(tensors, path, METADATA)
        else:
            torch.save(tensors if wrapper is None else {wrapper: tensors}, path)
    except (SafetensorError, RuntimeError) as error:  # which is how both tell that a write failed
        raise OSError(" ".join(str(error).split())[:200]) from None
    path.chmod(mode)
    written = read_state(path)
    if written.keys() != tensors.keys() or not all(same(written[name], tensors[name]) for name in tensors):
        raise OSError(f"{path.name} did not come out as it was written")


def same(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are equal bit for bit, NaN included."""
    alike = one.shape == other.shape and one.dtype == other.dtype
    return alike and torch.equal(one.flatten().view(torch.uint8), other.flatten().view(torch.uint8))


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Readable JSON."""
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

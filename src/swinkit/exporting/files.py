"""Output files in another library's layout: checks of their path, and writers."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import UsageError
from ..files.atomic import refuse_to_replace
from ..files.contents import State
from ..files.folder import CONFIG, WEIGHTS
from ..files.plain import contiguous_copies, write_safetensors
from ..files.tensors import read_state, write_torch
from ..type_check import expand_home

PROCESSOR = "preprocessor_config.json"
OURS = (WEIGHTS, CONFIG, PROCESSOR)  # what a folder may hold that is replaced
METADATA = {"format": "pt"}  # transformers reads no safetensors file without it


def check_output(out: Path, *, force: bool) -> None:
    """Raise unless `out` may be written.

    Raises:
        UsageError: it exists and `force` is not given, or it is no file or folder of a model, or its
            parent folder does not exist.
    """
    if not out.parent.is_dir():
        raise UsageError(f"{out.parent}: no such folder; make it first")
    if not out.exists() and not out.is_symlink():
        return
    if not force:
        raise UsageError(f"{out} exists; choose another name, or replace it with --force")
    if out.is_symlink() or not (out.is_file() or out.is_dir()):
        raise UsageError(f"{out} is no plain file or folder, so it is not replaced; choose another name")
    if out.is_dir():
        refuse_to_replace(out, OURS, "model")


def check_source(source: str | os.PathLike[str], out: Path) -> None:
    """Raise unless `out` can be written without touching what is read.

    Raises:
        UsageError: one of them is, or contains, the other.
    """
    path = expand_home(source)
    if not path.exists():  # a name, not a path, which loading resolves
        return
    one, other = path.resolve(), out.resolve()
    if one == other or one in other.parents or (other in one.parents and out.is_dir()):
        raise UsageError(f"{out} is {source} itself, or one lies in the other; write somewhere else")


def write_tensors(path: Path, state: State, wrapper: str | None = None) -> None:
    """Write one file and read it back.

    `wrapper` names the dictionary inside a torch file that holds the tensors.

    Raises:
        OSError: it cannot be written, or does not read back as it was written.
    """
    tensors = contiguous_copies(state)
    if path.suffix == ".safetensors":
        write_safetensors(path, tensors, METADATA)
    else:
        write_torch(path, tensors if wrapper is None else {wrapper: tensors})
    written = read_state(path)
    if written.keys() != tensors.keys() or not all(is_same(written[name], tensors[name]) for name in tensors):
        raise OSError(f"{path.name} did not come out as it was written")


def is_same(one: Tensor, other: Tensor) -> bool:
    """Return whether two tensors are equal bit for bit, NaN included."""
    alike = one.shape == other.shape and one.dtype == other.dtype
    return alike and torch.equal(one.flatten().view(torch.uint8), other.flatten().view(torch.uint8))


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write JSON with an indent of two spaces."""
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

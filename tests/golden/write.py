"""Writing case folders, for the tests of the runner: from installed references, or from other cases."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

TENSORS = ("weights", "inputs", "outputs")


def write(folder: Path, about: dict[str, Any], **tensors: dict[str, Tensor]) -> Path:
    """Return a case folder with the given `weights`, `inputs` and `outputs`."""
    folder.mkdir(parents=True)
    (folder / "case.json").write_text(json.dumps(about), encoding="utf-8")
    for name in TENSORS:
        save_file(
            {key: value.detach().clone().contiguous() for key, value in tensors[name].items()},
            folder / f"{name}.safetensors",
        )
    return folder


def changed(case: Path, target: Path, which: str, change: Callable[[dict[str, Tensor]], None]) -> Path:
    """Return a copy of a case whose `which` tensors `change` has had in its hands."""
    shutil.copytree(case, target, copy_function=shutil.copyfile)
    path = target / f"{which}.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)
    return target


def tampered(case: Path, target: Path, which: str, name: str, by: float) -> Path:
    """Return a copy of a case in which the first number of tensor `name` of `which` is larger by `by`."""

    def grow(tensors: dict[str, Tensor]) -> None:
        tensors[name].view(-1)[0] += by

    return changed(case, target, which, grow)

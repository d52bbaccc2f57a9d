"""microsoft/SimMIM: the masks that its generator draws from numpy's global stream of random numbers."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from swinkit.errors import DataError
from swinkit.tasks.simmim.mask_generator import masks_of
from swinkit.tasks.simmim.settings import Masking

from .case import Case, NotCovered, description, tensors
from .options import complete

KIND = "simmim_mask_generator"
REPOSITORY = "microsoft/S(imMIM|win-Transformer)"
OPTIONS: dict[str, Any] = {
    "input_size": 192,
    "mask_patch_size": 32,
    "model_patch_size": 4,
    "mask_ratio": 0.6,
}
SEED = r"np\.random\.seed\((\d+)(\s*\+\s*k)?\)"  # before generator k draws its masks


def find(about: dict[str, Any]) -> Callable[[Path], tuple[Case, dict[str, Tensor]]] | None:
    """How a case of masks is answered; None if it is a case of another kind."""
    said = [str(about.get(f"reference_{key}") or "") for key in ("repo", "class")]
    patterns = (REPOSITORY, "MaskGenerator")
    return answered if all(map(re.fullmatch, patterns, said)) else None


def answered(folder: Path) -> tuple[Case, dict[str, Tensor]]:
    """Return the case, which has no inputs, and our masks under the names of its outputs.

    Raises:
        DataError: it does not say what generators were built, or from which seed.
        NotCovered: its seed is told in a way that is not known here.
    """
    about = description(folder)
    case = Case(folder, about, {}, tensors(folder / "outputs.safetensors"))
    given = about.get("constructor")
    generators = [given] if isinstance(given, dict) else given
    if not isinstance(generators, list) or not generators:
        raise DataError(f"{folder / 'case.json'} lists no generators")
    seed = re.search(SEED, str(about.get("seed")))
    if seed is None:
        raise NotCovered(f"a generator seeded as in {about.get('seed')!r}")
    found = {}
    for k, options in enumerate(generators):
        expected = case.outputs.get(f"masks{k}")
        if expected is None:
            raise DataError(f"{folder}: the masks of generator {k} are not among the outputs")
        stream = np.random.RandomState(int(seed[1]) + (k if seed[2] else 0))
        found[f"masks{k}"] = drawn(complete(options, OPTIONS), stream, len(expected)).to(expected.dtype)
    return case, found


def drawn(options: dict[str, Any], stream: np.random.RandomState, calls: int) -> Tensor:
    """Return the masks of so many calls of one generator, (calls, *S)."""
    size, patch = (options["input_size"],) * 2, (options["model_patch_size"],) * 2
    masking = Masking(patch=options["mask_patch_size"], ratio=options["mask_ratio"])
    cells = math.prod(masking.cells(size))
    orders = np.stack([stream.permutation(cells) for _ in range(calls)])
    return masks_of(torch.from_numpy(orders), masking, size, patch)

"""Reading a case folder, and how far an answer may lie from it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from swinkit.errors import DataError, SwinkitError

MODELS = [  # cases of whole models that answer: what every fast path is held to
    "det_backbone_a",
    "hf_swin_a",
    "hf_swinv2_a",
    "swin_mlp_a",
    "swin_moe_a",
    "swin_v1_a",
    "swin_v1_ape_a",
    "swin_v2_a",
    "swin_v2_c",
    "timm_swin_a",
    "timm_swinv2_a",
    "timm_swinv2_cr_a",
    "tv_swin3d_a",
    "tv_swin_v1_a",
    "tv_swin_v2_a",
    "video_swin_a",
]


class NotCovered(SwinkitError):
    """What the case asks for is outside of what swinkit builds; the message says what."""


@dataclass(frozen=True)
class Case:
    """One folder: what the reference is, what went in, what came out."""

    folder: Path
    about: dict[str, Any]
    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    def weights(self) -> dict[str, Tensor]:
        """Return the reference's state dict.

        Raises:
            DataError: the folder has no readable `weights.safetensors`.
        """
        return tensors(self.folder / "weights.safetensors")

    def tolerance(self, output: str) -> Tensor:
        """How far each value of `output` may lie from the expected one: a scalar, or a tensor of its shape.

        `suggested_atol` where it stands; else max(2e-5 of the largest value, 20 times the reference's own
        float32 error) where that is known; else `tolerance`, for a gradient relative to its largest value.
        Whole numbers must be equal.

        Raises:
            DataError: the case names no tolerance.
        """
        if not self.outputs[output].is_floating_point():
            return torch.tensor(0.0)
        expected = self.outputs[output].double()
        largest = expected.abs().max() if expected.numel() else expected.sum()
        if output in (suggested := self.about.get("suggested_atol", {})):
            return expected.new_tensor(suggested[output])
        if output in (own_error := self.about.get("fp64_max_abs_diff", {})):
            return (2e-5 * largest).clamp(min=20 * own_error[output])
        try:
            absolute, relative = (float(self.about["tolerance"][key]) for key in ("atol", "rtol"))
        except (KeyError, TypeError) as error:
            raise DataError(f"{self.folder}: case.json gives no tolerance for {output}") from error
        return relative * largest if output.startswith("grad") else absolute + relative * expected.abs()


def read(folder: Path) -> Case:
    """Return the case in `folder`.

    Raises:
        DataError: a file is missing or broken, or `case.json` and the tensors disagree.
    """
    about = description(folder)
    inputs, outputs = tensors(folder / "inputs.safetensors"), tensors(folder / "outputs.safetensors")
    for what, found in (("inputs", inputs), ("outputs", outputs)):
        if missing := sorted(set(about.get(what, {})) - set(found)):
            raise DataError(f"{folder / what}.safetensors lacks {', '.join(missing)}, which case.json lists")
    if not outputs:
        raise DataError(f"{folder / 'outputs.safetensors'} holds no tensor: nothing could be compared")
    return Case(folder, about, inputs, outputs)


def description(folder: Path) -> dict[str, Any]:
    """Return the content of `case.json`.

    Raises:
        DataError: it is missing or no JSON object.
    """
    path = folder / "case.json"
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    if not isinstance(about, dict):
        raise DataError(f"{path} is no JSON object")
    return about


def tensors(path: Path) -> dict[str, Tensor]:
    """Return all tensors of a safetensors file.

    Raises:
        DataError: it is missing or broken.
    """
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def without_gradients(case: Case) -> None:
    """Leave out what a way that only answers has none of."""
    for name in [name for name in case.outputs if "grad_" in name]:
        del case.outputs[name]

"""timm's model outside PyTorch: exported as ONNX once, cached, and run by ONNX Runtime or OpenVINO in fp32.

A runtime is imported only when it is needed. Shapes: B batch, P pixels, K classes.
"""

import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .candidates import EXPORT_PACKAGES, version
from .cases import Case
from .inputs import draw_pixels

Session = Callable[[Any], Any]  # (B, 3, *P) -> (B, K), both arrays


class SessionCall:
    """One forward pass of a runtime -> (B, K) logits."""

    def __init__(self, session: Session, case: Case):
        self.session = session
        self.pixels = draw_pixels(case).numpy()

    def __call__(self) -> Tensor:
        """Compute (B, K) logits."""
        return torch.from_numpy(self.session(self.pixels))


def open_onnxruntime(path: Path, threads: int) -> Session:
    """Open a file in ONNX Runtime with its default optimisations."""
    import onnxruntime as library

    options = library.SessionOptions()
    options.intra_op_num_threads = threads
    session = library.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda pixels: session.run(None, {name: pixels})[0]


def open_openvino(path: Path, threads: int) -> Session:
    """Open a file in OpenVINO, in one stream and in fp32; its default is bf16 where a CPU has it."""
    import openvino as library

    settings = {
        "EXECUTION_MODE_HINT": "ACCURACY",
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
    }
    request = library.Core().compile_model(path, "CPU", settings).create_infer_request()
    return lambda pixels: request.infer([pixels], share_inputs=True, share_outputs=True)[0]


def export_onnx(model: nn.Module, case: Case, folder: Path) -> Path:
    """Export timm's `model` for the sizes of a case, or return the file of an earlier run.

    The file's name holds what it depends on: versions, sizes, and a checksum of the weights.
    """
    checksum = 0
    for tensor in model.state_dict().values():
        checksum = zlib.crc32(tensor.contiguous().view(-1).view(torch.uint8).numpy(), checksum)
    versions = "-".join(f"{name}-{version(name)}" for name in ("torch", *EXPORT_PACKAGES))
    path = folder / f"{case.name}-{checksum:08x}-{versions}.onnx"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter warns about its own code
            torch.onnx.export(
                model.eval(), (draw_pixels(case),), new, dynamo=True, external_data=False, verbose=False
            )
        new.replace(path)
    return path

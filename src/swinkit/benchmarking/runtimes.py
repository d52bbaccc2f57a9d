"""timm's model outside PyTorch: written as ONNX once, kept, and run by ONNX Runtime or OpenVINO in fp32.

Each is imported only when it is asked for. Shapes: B batch, P pixels, K classes.
"""

import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .candidates import EXPORTED, version
from .given import pixels
from .rows import Row

Session = Callable[[Any], Any]  # (B, 3, *P) -> (B, K), both arrays


class Run:
    """One forward pass of a runtime -> (B, K)."""

    def __init__(self, session: Session, row: Row):
        self.session = session
        self.pixels = pixels(row).numpy()

    def __call__(self) -> Tensor:
        """(B, K) logits."""
        return torch.from_numpy(self.session(self.pixels))


def onnxruntime(path: Path, threads: int) -> Session:
    """ONNX Runtime, with the optimisations that it does by default."""
    import onnxruntime as library

    options = library.SessionOptions()
    options.intra_op_num_threads = threads
    session = library.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda given: session.run(None, {name: given})[0]


def openvino(path: Path, threads: int) -> Session:
    """OpenVINO, in one stream; by itself it computes in bf16 where a processor can, so fp32 is asked for."""
    import openvino as library

    settings = {
        "EXECUTION_MODE_HINT": "ACCURACY",
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
    }
    request = library.Core().compile_model(path, "CPU", settings).create_infer_request()
    return lambda given: request.infer([given], share_inputs=True, share_outputs=True)[0]


def exported(model: nn.Module, row: Row, folder: Path) -> Path:
    """The file that holds timm's `model` for the sizes of a row; an earlier run's, if there is one.

    Its name tells what it was made from: versions, sizes, and a checksum of the weights.
    """
    checksum = 0
    for tensor in model.state_dict().values():
        checksum = zlib.crc32(tensor.contiguous().view(-1).view(torch.uint8).numpy(), checksum)
    made_by = "-".join(f"{name}-{version(name)}" for name in ("torch", *EXPORTED))
    path = folder / f"{row.name}-{checksum:08x}-{made_by}.onnx"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the exporter's about itself
            torch.onnx.export(
                model.eval(), (pixels(row),), new, dynamo=True, external_data=False, verbose=False
            )
        new.replace(path)
    return path

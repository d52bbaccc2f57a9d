"""ONNX files of both exporters of torch answer as the model does, in ONNX Runtime."""

from pathlib import Path

import pytest
import torch
from torch import nn

from swinkit.heads.pyramid import Pyramid
from swinkit.heads.reconstruct import ReconstructionHead

from .small import PIXELS, Headed, pixels, small, stirred

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of both exporters
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),
    pytest.mark.filterwarnings("ignore:Constant folding:UserWarning"),
]

MODELS = {
    "v1": lambda: small("v1"),
    "v2": lambda: small("v2"),
    "video": lambda: small("video"),
    "mlp": lambda: small("mlp"),
    "classifier": lambda: stirred(Headed(small("v1"))).eval(),
    "pyramid": lambda: stirred(Pyramid(small("v2"), (0, 1))).eval(),
}


def assert_runtime_agrees(file, model: nn.Module, x: torch.Tensor) -> None:
    """Compare the outputs of an ONNX file in ONNX Runtime with those of the model."""
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    outputs = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    with torch.no_grad():
        expected = model(x)
    expected = expected if isinstance(expected, list) else [expected]
    for output, value in zip(outputs, expected, strict=True):
        torch.testing.assert_close(torch.from_numpy(output), value, atol=2e-5, rtol=2e-5)


@pytest.mark.parametrize("name", MODELS)
def test_the_older_exporter_writes_a_file_that_answers_right(name, tmp_path):
    """Chains of TensorRT still use it; sizes are those of the example."""
    model, x = MODELS[name](), pixels(name if name in PIXELS else "v1")
    torch.onnx.export(model, (x,), tmp_path / "model.onnx", dynamo=False, opset_version=17)
    assert_runtime_agrees(tmp_path / "model.onnx", model, x)


def test_the_older_exporter_writes_the_decoder_of_pre_training(tmp_path):
    decoder = stirred(ReconstructionHead(24, 3, (8, 8))).eval()
    features = torch.randn(2, 5, 7, 24)
    torch.onnx.export(decoder, (features,), tmp_path / "decoder.onnx", dynamo=False, opset_version=17)
    assert_runtime_agrees(tmp_path / "decoder.onnx", decoder, features)


MULTIPLES = ((1, 96, 128), (3, 160, 64), (2, 64, 224))  # of 32: patches of 4, two stages, windows of 4


def export_free(model: nn.Module, example: torch.Size | tuple[int, ...], file: Path) -> int:
    """Write a model with free batch, height and width; return the least side that torch says it serves."""
    free = ({0: "batch", 2: "height", 3: "width"},)
    program = torch.onnx.export(
        model, (torch.randn(example),), dynamo=True, dynamic_shapes=free, verbose=False
    )
    assert program is not None
    program.save(str(file))
    assert program.exported_program is not None
    return max(int(sides.lower) for sides in program.exported_program.range_constraints.values())


@pytest.mark.parametrize("family", [pytest.param("v1", marks=pytest.mark.nightly), "v2"])
def test_a_file_of_an_example_without_padding_runs_at_every_size_that_needs_none(family, tmp_path):
    model = small(family, depths=(2, 1), border="clip")
    export_free(model, (2, 3, 96, 128), tmp_path / "model.onnx")
    for batch, height, width in MULTIPLES:
        assert_runtime_agrees(tmp_path / "model.onnx", model, torch.randn(batch, 3, height, width))


@pytest.mark.parametrize("border", ["clip", pytest.param("pad", marks=pytest.mark.nightly)])
def test_a_file_of_an_example_with_padding_runs_at_every_size_above_the_windows(border, tmp_path):
    """Windows of `pad` never shrink, so its file runs at every size from one patch on."""
    model = small("v2", depths=(2, 1), border=border)
    least = export_free(model, (2, 3, 83, 115), tmp_path / "model.onnx")
    assert least <= 33
    sizes = [*MULTIPLES, (1, 33, 33), (2, 57, 41), (1, 118, 59)]
    if border == "pad":
        sizes += [(1, 32, 32), (2, 17, 9), (1, 5, 70)]
    for batch, height, width in sizes:
        assert_runtime_agrees(tmp_path / "model.onnx", model, torch.randn(batch, 3, height, width))

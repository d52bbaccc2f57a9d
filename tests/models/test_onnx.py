"""ONNX files of both exporters of torch answer as the model does, in ONNX Runtime."""

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


@pytest.mark.parametrize("family", ["v1", "v2"])
@pytest.mark.parametrize("border", ["clip", "pad"])
def test_a_file_of_free_size_runs_at_every_size_that_needs_no_other_padding(family, border, tmp_path):
    """Sides are multiples of 32 above the window: patches of 4, two stages, windows of 4."""
    model = small(family, depths=(2, 1), border=border)
    free = ({0: "batch", 2: "height", 3: "width"},)
    program = torch.onnx.export(
        model, (torch.randn(2, 3, 96, 128),), dynamo=True, dynamic_shapes=free, verbose=False
    )
    assert program is not None
    program.save(str(tmp_path / "model.onnx"))
    for batch, height, width in ((1, 96, 128), (3, 160, 64), (2, 64, 224)):
        assert_runtime_agrees(tmp_path / "model.onnx", model, torch.randn(batch, 3, height, width))

"""The precision of a file: kept by a conversion and by a saved model, fp32 where one loads it to run."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from swinkit import api
from swinkit.errors import UsageError
from swinkit.exporting.verify import Proof
from swinkit.weights.load import export_weights

from .models import classifier

pytestmark = pytest.mark.slow

HALVES = [torch.bfloat16, torch.float16]


def file_of(path: Path, dtype: torch.dtype) -> Path:
    """Return a small V1 as Microsoft names it, in `dtype`."""
    state = export_weights(classifier(), "microsoft")
    save_file({k: x.to(dtype).contiguous() if x.is_floating_point() else x for k, x in state.items()}, path)
    return path


@pytest.mark.parametrize("dtype", [*HALVES, torch.float64])
def test_a_conversion_keeps_the_precision_of_its_source_and_is_proved_in_fp32(dtype, tmp_path: Path):
    source = file_of(tmp_path / "in.safetensors", dtype)
    done = api.convert(source, tmp_path / "out.safetensors", to="timm")
    assert isinstance(done.proof, Proof)
    given, written = load_file(source), load_file(tmp_path / "out.safetensors")
    assert {x.dtype for x in written.values() if x.is_floating_point()} == {dtype}
    assert torch.equal(written["head.fc.weight"], given["head.weight"])


@pytest.mark.parametrize("dtype", HALVES)
def test_a_half_file_loads_in_fp32_and_the_report_says_so(dtype, tmp_path: Path, capsys):
    source = file_of(tmp_path / "in.safetensors", dtype)
    name = str(dtype).removeprefix("torch.")
    assert {x.dtype for x in api.load(source).parameters()} == {torch.float32}
    assert f"precision: `{name}` in the file, fp32 here" in capsys.readouterr().err
    assert {x.dtype for x in api.load(source, precision="file").parameters()} == {dtype}
    assert f"precision: `{name}` in the file, kept" in capsys.readouterr().err


def test_a_new_head_has_the_precision_of_the_file_too(tmp_path: Path):
    source = file_of(tmp_path / "in.safetensors", torch.bfloat16)
    model = api.load(source, labels=["a", "b"], head="new", precision="file")
    assert {x.dtype for x in model.parameters()} == {torch.bfloat16}


def test_nothing_is_said_of_fp32(tmp_path: Path, capsys):
    api.load(file_of(tmp_path / "in.safetensors", torch.float32))
    assert "precision" not in capsys.readouterr().err


@pytest.mark.parametrize("dtype", HALVES)
def test_a_saved_half_model_comes_back_half(dtype, tmp_path: Path):
    model = classifier().to(dtype)
    api.save(model, tmp_path / "saved")
    again = api.load(tmp_path / "saved")
    assert {x.dtype for x in again.parameters()} == {dtype}
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))


def test_other_precisions_are_refused(tmp_path: Path):
    with pytest.raises(UsageError, match="precision is 'half'"):
        api.load(file_of(tmp_path / "in.safetensors", torch.float32), precision="half")

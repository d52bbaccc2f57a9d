"""`swinkit convert`: what it prints, what it refuses, and the one command in and the one command out."""

import json
from pathlib import Path

import pytest
import timm
import torch

from swinkit import api
from swinkit.cli.main import main

pytestmark = pytest.mark.slow

MODEL = "swin-pico/cifar-10"


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `swinkit convert WORDS`."""
    code = main(["convert", *words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_one_command_carries_a_model_to_timm(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "timm"
    code, printed, said = run(capsys, MODEL, str(out), "--to", "timm")
    assert code == 0
    first, second = printed.splitlines()
    assert first == f"wrote {out}: 118 tensors in the names of timm, 1.0 M parameters, for 32x32 pixels"
    assert second.startswith("  answers ")
    assert f"timm {timm.__version__}; random 32x32 pixels" in second
    assert said.startswith("  warning: answers agree at 32 x 32 pixels, but can differ at sizes where")
    theirs, x = timm.create_model(f"local-dir:{out}", pretrained=True).eval(), torch.randn(1, 3, 32, 32)
    with torch.inference_mode():
        assert (theirs(x) - api.load(MODEL)(x)).abs().max() < 1e-5


def test_json_has_the_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    code, printed, said = run(capsys, MODEL, str(tmp_path / "a.pth"), "--to", "torchvision", "--json")
    row = json.loads(printed)
    assert (code, said) == (0, "")
    assert (row["dialect"], row["tensors"], row["written"], row["note"]) == ("torchvision", 126, True, None)
    assert row["check"]["against"].startswith("torchvision ")
    assert row["check"]["pixels"] == [32, 32]
    assert 0 <= row["check"]["difference"] < 1e-4 < row["check"]["largest"]
    assert len(row["warnings"]) == 1


def test_a_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    code, printed, _ = run(capsys, MODEL, str(tmp_path / "a.pth"), "--to", "timm", "-n")
    assert code == 0
    assert printed.startswith(f"would write {tmp_path / 'a.pth'}: 118 tensors in the names of timm")
    assert printed.endswith("  not checked: dry run\n")
    assert not list(tmp_path.iterdir())


def test_the_check_can_be_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    code, printed, _ = run(capsys, MODEL, str(tmp_path / "a.pth"), "--to", "timm", "--no-check", "--json")
    assert (code, json.loads(printed)["check"], json.loads(printed)["note"]) == (
        0,
        None,
        "not checked, as asked",
    )


def test_there_and_back_through_a_file_that_tells_no_windows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """A V2 in timm's names has its windows in no tensor: --variant names it."""
    from swinkit.models.build import build
    from swinkit.models.specs import VARIANTS

    backbone = build(VARIANTS["swinv2-t"].spec)
    state = {f"backbone.{name}": tensor for name, tensor in backbone.state_dict().items()}
    from swinkit.weights.dialect_table import DIALECTS

    torch.save(DIALECTS["timm"].write(state), tmp_path / "v2.pth")
    arguments = (str(tmp_path / "v2.pth"), str(tmp_path / "ms.pth"), "--to", "microsoft", "--no-check")
    code, _, said = run(capsys, *arguments)
    assert (code, "name the variant" in said) == (2, True)
    code, printed, said = run(capsys, *arguments, "--variant", "swinv2-t")
    assert code == 0
    assert "in the names of microsoft, 27.6 M parameters, for 256x256 pixels" in printed
    assert "tensors loaded" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.pth"], "cannot convert to 'timmm', did you mean 'timm'? (known: microsoft, timm, torchvision"),
        (["a.onnx", "--to", "timm"], "a.onnx: files of weights end in .safetensors or .pth"),
        (["a.bin", "--to", "timm"], "a.bin: files of weights end in .safetensors or .pth"),
        (
            ["a", "--to", "torchvision"],
            "a: torchvision reads files; name one that ends in .safetensors or .pth",
        ),
        (["a.pth", "--to", "openmmlab-fork"], "openmmlab-fork has no place for `head.norm.weight`"),
        (["a.pth", "--to", "torchvision-3d"], "torchvision-3d has names for models of 3 axes only"),
        (["a", "--to", "swinkit-backbone"], "swinkit-backbone reads files; name one that ends in"),
        (["a.pth", "--to", "timm-cr"], "timm-cr cannot hold this model: it has no Swin V1"),
        (["a.pth", "--to", "timm", "--vriant", "x"], "unknown option 'vriant', did you mean 'variant'?"),
        (["a.pth", "--to", "timm", "--variant", "swin-t"], "variant, labels, head, tables"),
        (["nowhere/a.pth", "--to", "timm"], "nowhere: no such folder; make it first"),
    ],
)
def test_mistakes_are_one_line_and_exit_2(
    words: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(tmp_path)
    words = words if "--to" in words else [*words, "--to", "timmm"]
    code, printed, said = run(capsys, MODEL, *words)
    assert (code, printed) == (2, "")
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert message in said
    assert not list(tmp_path.iterdir())


def test_a_missing_source_is_exit_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    code, _, said = run(capsys, str(tmp_path / "no.pth"), str(tmp_path / "a.pth"), "--to", "timm")
    assert (code, said.startswith("error: ")) == (3, True)


def test_an_existing_output_is_refused_before_the_source_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "a.pth").write_text("mine")
    code, _, said = run(capsys, str(tmp_path / "no.pth"), str(tmp_path / "a.pth"), "--to", "timm")
    assert (code, "a.pth exists; choose another name, or replace it with --force" in said) == (2, True)
    code, _, _ = run(capsys, MODEL, str(tmp_path / "a.pth"), "--to", "timm", "--force", "--no-check")
    assert code == 0
    assert (tmp_path / "a.pth").stat().st_size > 1_000_000

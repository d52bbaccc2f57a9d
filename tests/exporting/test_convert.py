"""Conversions into every library, tried in the library itself."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import load_file
from torch import nn
from torchvision.models import swin_transformer as torchvision_pictures

from swinkit import api
from swinkit.errors import DataError, UsageError
from swinkit.exporting import convert as converting
from swinkit.exporting import verify as proving
from swinkit.exporting.convert import convert_model
from swinkit.exporting.libraries import Library
from swinkit.exporting.verify import Proof
from swinkit.tasks import from_checkpoint as foreign
from swinkit.weights.configs import torchvision_arguments
from swinkit.zoo.hub_configs import Facts

from ..parity.libraries import CLOSE, difference
from .models import CUT, LABELS, THREE, classifier, pyramid, reconstructor

pytestmark = pytest.mark.slow

ROWS: dict[str, tuple[Callable[[], nn.Module], str, str, str]] = {  # model, --to, dialect, proved by
    "v1 to microsoft": (classifier, "microsoft", "microsoft", "swinkit, read back"),
    "v1 to timm": (classifier, "timm", "timm", "timm"),
    "v1 to torchvision": (classifier, "torchvision", "torchvision", "torchvision"),
    "v1 to transformers": (classifier, "transformers", "transformers", "transformers"),
    "v1 to legacy transformers": (classifier, "transformers-legacy", "transformers-legacy", "transformers"),
    "v1 to openmmlab": (classifier, "openmmlab", "openmmlab", "swinkit, read back"),
    "v1 to swinkit": (classifier, "swinkit", "swinkit", "swinkit, read back"),
    "v1 with positions to transformers": (
        lambda: classifier(absolute_grid=(16, 16)),
        "transformers",
        "transformers",
        "transformers",
    ),
    "v2 to microsoft": (lambda: classifier("v2"), "microsoft", "microsoft", "swinkit, read back"),
    "v2 to timm": (lambda: classifier("v2"), "timm", "timm", "timm"),
    "v2 to torchvision": (lambda: classifier("v2"), "torchvision", "torchvision", "torchvision"),
    "v2 to transformers": (lambda: classifier("v2"), "transformers", "transformers-v2", "transformers"),
    "v2 to openmmlab": (lambda: classifier("v2"), "openmmlab", "openmmlab-v2", "swinkit, read back"),
    "cut windows to timm": (lambda: classifier("v1", **THREE, window_sizes=CUT), "timm", "timm", "timm"),
    "grown windows to timm": (lambda: grown(), "timm", "timm", "timm"),
    "grown windows to transformers": (lambda: grown(), "transformers", "transformers-v2", "transformers"),
    "oblong windows to timm": (
        lambda: classifier("v2", window_sizes=((4, 8), (2, 4)), pretrained_window_sizes=((3, 6), (2, 3))),
        "timm",
        "timm",
        "timm",
    ),
    "oblong windows to torchvision": (
        lambda: classifier(window_sizes=((4, 8),) * 2),
        "torchvision",
        "torchvision",
        "torchvision",
    ),
    "v2-cr to timm": (lambda: classifier("v2-cr"), "timm", "timm-cr", "timm"),
    "mlp to microsoft": (lambda: classifier("mlp"), "microsoft", "microsoft", "swinkit, read back"),
    "moe to microsoft": (lambda: classifier("moe"), "microsoft", "microsoft", "swinkit, read back"),
    "clips to torchvision": (lambda: classifier("video"), "torchvision", "torchvision-3d", "torchvision"),
    "clips to openmmlab": (lambda: classifier("video"), "openmmlab", "mmaction2", "swinkit, read back"),
    "pyramid to transformers": (pyramid, "transformers", "transformers-backbone", "transformers"),
    "pyramid to openmmlab": (pyramid, "openmmlab", "openmmlab-dense", "swinkit, read back"),
    "pyramid to the fork": (pyramid, "openmmlab-fork", "openmmlab-fork", "swinkit, read back"),
    "pyramid to detectron2": (pyramid, "detectron2", "detectron2", "swinkit, read back"),
    "backbone to timm": (lambda: classifier().backbone, "timm", "timm", "timm"),
    "backbone to torchvision": (lambda: classifier().backbone, "torchvision", "torchvision", "torchvision"),
    "backbone to transformers": (
        lambda: classifier().backbone,
        "transformers",
        "transformers",
        "transformers",
    ),
    "v2 backbone to transformers": (
        lambda: classifier("v2").backbone,
        "transformers",
        "transformers-v2",
        "transformers",
    ),
    "simmim to microsoft": (reconstructor, "microsoft", "microsoft-simmim", "swinkit, read back"),
    "simmim to transformers": (reconstructor, "transformers", "transformers", "transformers"),
    "simmim v2 to transformers": (
        lambda: reconstructor("v2"),
        "transformers",
        "transformers-v2",
        "transformers",
    ),
}


def grown() -> nn.Module:
    """Return a V2 whose windows grew from those of pre-training, and are cut in the last stage."""
    return classifier("v2", **THREE, window_sizes=CUT, pretrained_window_sizes=((6, 6), (6, 6), (3, 3)))


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("row", ROWS)
def test_files_answer_in_the_library_as_here(row: str, suffix: str, tmp_path: Path):
    make, to, dialect, against = ROWS[row]
    done = convert_model(make(), tmp_path / f"out{suffix}", to)
    assert done.dialect == dialect
    assert isinstance(done.proof, Proof)
    assert done.proof.against.startswith(against)
    assert done.proof.largest > 0.1
    assert done.proof.difference <= CLOSE * done.proof.largest
    assert [path.name for path in tmp_path.iterdir()] == [f"out{suffix}"]


@pytest.mark.parametrize("row", [row for row in ROWS if row.endswith(("to timm", "to transformers"))])
def test_folders_answer_in_the_library_as_here(row: str, tmp_path: Path):
    make, to, dialect, against = ROWS[row]
    if row == "backbone to timm":
        with pytest.raises(UsageError, match=r"folder for timm holds a classifier; name a file, .*out.safe"):
            convert_model(make(), tmp_path / "out", to)
        return
    done = convert_model(make(), tmp_path / "out", to)
    assert (done.dialect, isinstance(done.proof, Proof)) == (dialect, True)
    assert done.proof.against.startswith(against)
    assert done.proof.difference <= CLOSE * done.proof.largest
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


@pytest.mark.parametrize(
    ("to", "wrapper"),
    [("microsoft", "model"), ("openmmlab", "state_dict"), ("timm", None), ("torchvision", None)],
)
def test_torch_files_are_wrapped_as_their_loaders_expect(to: str, wrapper: str | None, tmp_path: Path):
    convert_model(classifier(), tmp_path / "out.pth", to)
    read = torch.load(tmp_path / "out.pth", weights_only=True)
    assert isinstance(read[wrapper] if wrapper else read, dict)
    assert wrapper is None or list(read) == [wrapper]
    tensors = read[wrapper] if wrapper else read
    assert all(isinstance(tensor, torch.Tensor) for tensor in tensors.values())


def test_torchvision_loads_the_file_strictly(tmp_path: Path):
    model = classifier()
    convert_model(model, tmp_path / "out.pth", "torchvision")
    arguments = torchvision_arguments(model.backbone.spec, len(LABELS))
    theirs = torchvision_pictures.SwinTransformer(**arguments).eval()
    theirs.load_state_dict(torch.load(tmp_path / "out.pth", weights_only=True), strict=True)
    assert difference(model, theirs, torch.randn(1, 3, 64, 64)) < CLOSE


def test_a_saved_folder_loads_here_again(tmp_path: Path):
    model = classifier("v2")
    done = convert_model(model, tmp_path / "out", "swinkit")
    assert isinstance(done.proof, Proof)
    again = api.load(tmp_path / "out")
    assert (again.labels, again.preprocess) == (model.labels, model.preprocess)
    x = torch.randn(1, 3, 64, 64)
    assert torch.equal(again(x), model(x))
    assert done.warnings == ()


@pytest.mark.parametrize("first", ["microsoft", "timm", "torchvision", "transformers", "openmmlab"])
@pytest.mark.parametrize("second", ["microsoft", "timm", "torchvision", "transformers", "openmmlab"])
def test_any_library_to_any_other_gives_the_same_tensors_as_directly(
    first: str, second: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    model = classifier()
    convert_model(model, tmp_path / "first.safetensors", first, check=False)
    api.convert(tmp_path / "first.safetensors", tmp_path / "second.safetensors", to=second, check=False)
    convert_model(model, tmp_path / "directly.safetensors", second, check=False)
    found, expected = (load_file(tmp_path / f"{name}.safetensors") for name in ("second", "directly"))
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert "tensors loaded" in capsys.readouterr().err


def test_half_precision_is_kept_and_proved_in_full(tmp_path: Path):
    done = convert_model(classifier().half(), tmp_path / "out.safetensors", "timm")
    assert isinstance(done.proof, Proof)
    tensors = load_file(tmp_path / "out.safetensors")
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}


def test_a_model_in_training_is_as_it_was_afterwards(tmp_path: Path):
    model = classifier(border="pad", drop_path=0.5).train()
    backbone = model.backbone
    convert_model(model, tmp_path / "out.safetensors", "timm")
    assert model.training
    assert model.backbone is backbone


def test_a_wrong_file_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Two halves of a tensor exchanged: everything fits, and the answers are wrong."""
    write = converting.write_tensors

    def exchanged(path, state, wrapper=None):
        name = "layers.1.downsample.reduction.weight"
        write(path, state | {name: state[name].roll(12, dims=1)}, wrapper)

    monkeypatch.setattr(converting, "write_tensors", exchanged)
    with pytest.raises(
        DataError, match=r"out.pth is not kept: timm .* answers otherwise than this model, by"
    ):
        convert_model(classifier(), tmp_path / "out.pth", "timm")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("to", ["timm", "transformers", "torchvision"])
def test_a_file_that_the_library_cannot_read_is_not_kept(
    to: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    write = converting.write_tensors

    def shortened(path, state, wrapper=None):
        write(path, dict(list(state.items())[1:]), wrapper)

    monkeypatch.setattr(converting, "write_tensors", shortened)
    with pytest.raises(DataError, match=r"(cannot run the written file|loader misses)"):
        convert_model(classifier(), tmp_path / "out.pth", to)
    assert not list(tmp_path.iterdir())


def test_without_the_library_the_file_is_written_and_said_to_be_unchecked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def absent(package: str) -> str:
        raise proving.importlib.metadata.PackageNotFoundError(package)

    monkeypatch.setattr(proving.importlib.metadata, "version", absent)
    done = convert_model(classifier(), tmp_path / "out.pth", "timm")
    assert done.proof == "not checked: timm is not installed"
    assert (tmp_path / "out.pth").is_file()


def test_a_library_that_cannot_be_imported_is_no_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object) -> None:
        raise ImportError("no operator nms")

    monkeypatch.setitem(proving.LIBRARIES, "timm", Library("timm", broken))
    done = convert_model(classifier(), tmp_path / "out.pth", "timm")
    assert done.proof == f"not checked: timm {timm.__version__} cannot be imported (no operator nms)"


def test_a_dry_run_refuses_what_a_real_one_would_and_writes_nothing(tmp_path: Path):
    done = convert_model(classifier(), tmp_path / "out.pth", "timm", dry_run=True)
    assert (done.written, done.proof, list(tmp_path.iterdir())) == (False, "not checked: dry run", [])
    with pytest.raises(UsageError, match="torchvision cannot hold this model: its pictures have three"):
        convert_model(classifier(in_channels=1), tmp_path / "out.pth", "torchvision", dry_run=True)


def test_large_pictures_are_proved_with_small_ones(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(proving, "MOST_MACS", 1e6)
    done = convert_model(classifier(crop=(256, 256)), tmp_path / "out", "timm")
    assert isinstance(done.proof, Proof)
    assert (done.size, done.proof.size) == ((256, 256), (32, 32))


def test_what_is_written_can_be_read_by_whom_others_can(tmp_path: Path):
    before = os.umask(0o022)
    try:
        convert_model(classifier(), tmp_path / "out.safetensors", "timm", check=False)
    finally:
        os.umask(before)
    assert (tmp_path / "out.safetensors").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("ranks", [1, 2, 4, 8])
def test_experts_are_cut_for_any_number_of_ranks_and_load_again(ranks: int, tmp_path: Path):
    model = classifier("moe", num_experts=4)
    done = convert_model(model, tmp_path / "moe", "microsoft", ranks=ranks)
    assert isinstance(done.proof, Proof)
    assert done.proof.difference == 0
    names = {f"moe.pth.rank{rank}" for rank in range(ranks)} | {"moe.pth.master"}
    assert {path.name for path in (tmp_path / "moe").iterdir()} == names
    spec = model.backbone.spec
    again, _ = foreign.load_file(tmp_path / "moe", Facts(spec=spec, labels=LABELS))
    ours, theirs = model.state_dict(), again.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize(
    ("family", "to", "out", "ranks", "message"),
    [
        ("v1", "microsoft", "a", 2, "ranks are files of a Swin-MoE"),
        ("moe", "swinkit", "a", 2, "ranks are files of a Swin-MoE"),
        ("moe", "microsoft", "a.pth", 2, "need a folder"),
        ("moe", "microsoft", "a", 2, "3 experts cannot be dealt out evenly to 2 ranks"),
        ("moe", "microsoft", "a", 0, "cannot be dealt out evenly to 0 ranks"),
    ],
)
def test_ranks_that_cannot_be_are_refused(family, to, out, ranks, message, tmp_path: Path):
    with pytest.raises(UsageError, match=message):
        convert_model(classifier(family), tmp_path / out, to, ranks=ranks)
    assert list(tmp_path.iterdir()) == []

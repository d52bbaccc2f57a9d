"""Windows that no tensor tells: given by the user, or never taken in silence."""

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import nn

import swinkit
from swinkit.api import initial_model
from swinkit.cli.main import main
from swinkit.errors import DataError, UsageError
from swinkit.models.build import build
from swinkit.models.given_windows import GivenWindows
from swinkit.weights.infer import infer
from swinkit.weights.load import canonical, export_weights
from swinkit.zoo.checkpoints import published_checkpoints
from swinkit.zoo.resolve import resolve_checkpoint

from ..models.small import small
from .models import classifier

pytestmark = pytest.mark.slow

TINY = {"depths": (2, 2, 2, 2), "num_heads": (1, 2, 4, 8), "embed_dim": 16, "num_classes": 5}
V2, CR = "swinv2_tiny_window8_256", "swinv2_cr_tiny_224"
CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (V2, {"window_size": 12, "img_size": 384}, {"window": 12}),
    (V2, {"window_size": 12, "img_size": 256}, {"window": [12, 12, 12, 8]}),
    (V2, {"window_size": 7, "img_size": 224}, {"window": 7}),
    (V2, {"window_size": 6, "img_size": 192, "pretrained_window_sizes": (12, 12, 12, 6)},
     {"window": 6, "pretrained_window": (12, 12, 12, 6)}),
    (V2, {"window_size": 16, "img_size": 256, "pretrained_window_sizes": (8,) * 4},
     {"window": (16, 16, 16, 8), "pretrained_window": 8}),
    (V2, {"window_size": 4, "img_size": 128}, {"window": 4}),
    (CR, {"window_size": 8, "img_size": 256}, {"window": 8}),
    (CR, {"window_size": 7, "img_size": 224, "extra_norm_stage": True}, {"window": 7}),
    (CR, {"window_size": 7, "img_size": 224, "extra_norm_period": 1}, {"window": 7}),
]  # fmt: skip


def file_of(model: nn.Module, path: Path) -> Path:
    """Save the state of a stirred model."""
    for parameter in model.parameters():
        parameter.data.add_(0.05 * torch.randn_like(parameter))
    torch.save(model.eval().state_dict(), path / "a.pth")
    return path / "a.pth"


@pytest.mark.parametrize("case", range(len(CASES)))
def test_a_model_of_other_windows_answers_as_in_timm(tmp_path: Path, case: int):
    name, arguments, given = CASES[case]
    theirs = timm.create_model(name, **TINY | arguments)
    file = file_of(theirs, tmp_path)
    with pytest.raises(UsageError, match=r"give them \(--window, or window=\), or name the variant"):
        swinkit.load(file)
    told: list[str] = []
    ours = swinkit.load(file, **given, reporting=told.append)
    side = arguments["img_size"]
    x = torch.randn(2, 3, side, side)
    assert torch.allclose(ours(x), theirs(x), atol=1e-5)
    assert ours.preprocess.crop == (side, side)
    assert "no tensor confirms them" in told[0]
    other = swinkit.load(file, window=given["window"][0] + 1 if name == V2 and case == 1 else 5)
    assert not torch.allclose(other(x), theirs(x), atol=1e-3)


@pytest.mark.parametrize("outputs", [(0, 1, 2, 3), (1, 2)])
def test_a_feature_network_of_v2_gives_its_features_here(tmp_path: Path, outputs: tuple[int, ...]):
    theirs = timm.create_model(V2, **TINY | {"window_size": 6, "img_size": 192}, features_only=True,
                               out_indices=outputs)  # fmt: skip
    ours = swinkit.load(file_of(theirs, tmp_path), window=6)
    x = torch.randn(1, 3, 192, 192)
    mine = [ours(x)[stage] for stage in outputs]
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(mine, theirs(x), strict=True))


def test_a_variant_that_no_tensor_confirms_is_told(tmp_path: Path):
    theirs = timm.create_model(V2, window_size=12, img_size=384, num_classes=2)
    file = file_of(theirs, tmp_path)
    with pytest.raises(UsageError, match="swinv2-t, swinv2-t-w16") as caught:
        swinkit.load(file)
    assert "--window" in str(caught.value)
    told: list[str] = []
    swinkit.load(file, variant="swinv2-t", reporting=told.append)
    assert "windows ((8, 8), (8, 8), (8, 8), (8, 8)), pre-trained with ((8, 8)" in told[0]
    named = swinkit.load(file, variant="swinv2-t", window=12).backbone.spec
    bare = swinkit.load(file, window=12).backbone.spec
    assert (named.window_sizes, named.reference_windows) == (bare.window_sizes, bare.reference_windows)
    torch.save({"arch": "swinv2_tiny_window8_256", "state_dict": theirs.state_dict()}, tmp_path / "b.pth")
    swinkit.load(tmp_path / "b.pth", reporting=told.append)
    assert "from the name in or of the file (swinv2-t)" in told.pop()
    named_file = file.rename(tmp_path / "swinv2_tiny_window8_256.pth")
    swinkit.load(named_file, reporting=told.append)
    assert "no tensor confirms them" in told[1]


def test_what_publishers_or_the_file_tell_is_not_doubted(tmp_path: Path):
    told: list[str] = []
    torch.save(export_weights(classifier("v2"), "microsoft"), tmp_path / "a.pth")
    swinkit.load(tmp_path / "a.pth", reporting=told.append)
    assert "confirms" not in told[0]
    swinkit.load(tmp_path / "a.pth", window=8, reporting=told.append)
    assert "but the file was saved with ((4, 4), (4, 4))" in told[1]


def test_the_window_of_v1_follows_from_its_tables_or_they_are_resized(tmp_path: Path):
    torch.save(export_weights(classifier(), "timm"), tmp_path / "a.pth")
    told: list[str] = []
    swinkit.load(tmp_path / "a.pth", window=4, reporting=told.append)
    assert "resized" not in told[0]
    model = swinkit.load(tmp_path / "a.pth", window=(8, 4), reporting=told.append)
    assert model.backbone.spec.window_sizes == ((8, 8), (4, 4))
    assert "resized          2: " in told[1]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"window": 0}, "window is 0; it must be a number of tokens, or one for each of 2 stages"),
    ({"window": (4, 4, 4)}, r"window is \(4, 4, 4\); it must be"),
    ({"window": "12"}, "window is '12'; it must be"),
    ({"window": True}, "window is True; it must be"),
    ({"pretrained_window": 4.5, "window": 4}, "pretrained_window is 4.5; it must be"),
]


@pytest.mark.parametrize(("given", "message"), WRONG)
def test_what_is_no_window_is_refused(tmp_path: Path, given: dict[str, Any], message: str):
    torch.save(export_weights(classifier("v2"), "timm"), tmp_path / "a.pth")
    with pytest.raises(UsageError, match=message):
        swinkit.load(tmp_path / "a.pth", **given)


def test_models_that_have_no_such_windows_refuse_them(tmp_path: Path):
    torch.save(export_weights(classifier(), "timm"), tmp_path / "a.pth")
    with pytest.raises(UsageError, match="pretrained_window is only for V2 and Swin-MoE; leave it out"):
        swinkit.load(tmp_path / "a.pth", pretrained_window=4)
    torch.save(canonical(classifier("mlp")), tmp_path / "b.pth")
    with pytest.raises(UsageError, match="of a Swin-MLP follow from its weights; leave window out"):
        swinkit.load(tmp_path / "b.pth", window=4)
    torch.save(canonical(classifier("video")), tmp_path / "c.pth")
    with pytest.raises(UsageError, match="for models of pictures only; leave it out"):
        swinkit.load(tmp_path / "c.pth", window=4)
    swinkit.save(swinkit.load(), tmp_path / "saved")
    with pytest.raises(UsageError, match="window and pretrained_window are for files"):
        swinkit.load(tmp_path / "saved", window=4)


@pytest.mark.parametrize("norms", [{"norm_stages": False}, {"norm_every": 2}, {"norm_every": 1}])
def test_the_norms_of_a_v2_cr_are_found(norms: dict[str, Any]):
    model = small("v2-cr", depths=(3, 2), **norms)
    state, given = canonical(model), GivenWindows([window[0] for window in model.spec.window_sizes])
    found = infer(state, given=given)
    assert canonical(build(found)).keys() == state.keys()
    if norms.get("norm_every") == 1:
        del state["backbone.stages.0.blocks.0.main_norm.weight"]
        with pytest.raises(DataError, match="norms of its main branch in places that none has"):
            infer(state, given=given)


def test_the_command_line_takes_windows(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    theirs = timm.create_model(V2, **TINY | {"window_size": 12, "img_size": 256})
    file = file_of(theirs, tmp_path)
    assert (
        main(["convert", str(file), str(tmp_path / "out"), "--to", "timm", "--window", "[12,12,12,8]"]) == 0
    )
    assert "answers" in capsys.readouterr().out
    again = timm.create_model(f"local-dir:{tmp_path / 'out'}", pretrained=True).eval()
    x = torch.randn(1, 3, 256, 256)
    assert torch.allclose(again(x), theirs(x), atol=1e-5)
    assert main(["convert", str(file), str(tmp_path / "no"), "--to", "timm"]) == 2
    assert "--window" in capsys.readouterr().err


def test_a_training_begins_with_a_file_whose_windows_were_given(tmp_path: Path):
    file = file_of(timm.create_model(V2, **TINY | {"window_size": 12, "img_size": 384}), tmp_path)
    with pytest.raises(UsageError, match=r"`swinkit convert .*a.pth FOLDER --to swinkit` .* init=FOLDER"):
        initial_model(str(file))
    assert main(["convert", str(file), str(tmp_path / "folder"), "--to", "swinkit", "--window", "12"]) == 0
    assert initial_model(str(tmp_path / "folder")).backbone.spec.window_sizes == ((12, 12),) * 4


def test_published_v2_are_not_doubted(monkeypatch: pytest.MonkeyPatch):
    from swinkit.zoo import cache

    monkeypatch.setattr(cache, "fetch_checkpoint", lambda *_: Path("somewhere.pth"))
    row = next(row for row in published_checkpoints().values() if row.address.startswith("https"))
    assert resolve_checkpoint(row).facts.is_published

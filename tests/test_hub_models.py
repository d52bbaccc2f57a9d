"""Whole models by way of the hub: others' answer as in their library, ours come back to the bit."""

import json
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import transformers
from timm.data import create_transform, resolve_data_config
from timm.models import save_for_hf
from torch import Tensor, nn

import swinkit
from swinkit.data.preprocess import Preprocess
from swinkit.errors import DataError
from swinkit.models.build import build
from swinkit.tasks.classification.model import Classifier
from swinkit.weights.load import export_weights

from .models.small import spec, stirred
from .zoo.hub_state import Hub

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Use 'content=")]  # huggingface_hub's own

NAME = "me/swin"
LABELS = ("cat", "dog", "猫")
CLOSE = 2e-5  # of logits of size 1 in float32, by another order of the same sums
TIMM = {
    "swin_tiny_patch4_window7_224": {"window_size": 4},
    "swinv2_tiny_window8_256": {"window_size": 4},
    "swinv2_cr_tiny_ns_224": {"window_size": 4},
}


def put_folder(hub: Hub, folder: Path) -> None:
    """All files of a folder as a repository."""
    hub.put(NAME, {path.name: path.read_bytes() for path in folder.iterdir()})


def model_of(family: str, **changes: Any) -> Classifier:
    """Return a small classifier for pictures of 64 pixels; its windows fit them."""
    fit = Preprocess.to_crop(crop=(64, 64), resize=73, interpolation="bilinear", mean=(0.1, 0.2, 0.3))
    return stirred(Classifier(build(spec(family, **changes)), LABELS, fit)).eval()


def pictures(channels: int = 3) -> Tensor:
    return torch.randn(2, channels, 64, 64)


def logits(model: nn.Module, pixels: Tensor) -> Tensor:
    with torch.inference_mode():
        answer = model(pixels)
    return getattr(answer, "logits", answer)


@pytest.mark.parametrize("architecture", TIMM)
def test_what_timm_saves_for_the_hub(hub: Hub, tmp_path: Path, architecture: str):
    theirs = timm.create_model(
        architecture,
        img_size=64,
        embed_dim=12,
        depths=(2, 2),
        num_heads=(2, 4),
        num_classes=3,
        **TIMM[architecture],
    )
    theirs = stirred(theirs).eval()
    labels = {
        "label_names": ["n01", "n02", "n03"],
        "label_descriptions": dict(zip(("n01", "n02"), LABELS, strict=False)),
    }
    save_for_hf(theirs, tmp_path / "saved", model_config=labels, safe_serialization=True)
    put_folder(hub, tmp_path / "saved")
    ours = swinkit.load(f"hf:{NAME}")
    assert isinstance(ours, Classifier)
    assert ours.labels == ("cat", "dog", "n03")
    assert ours.preprocess.crop == (64, 64)
    pixels = pictures()
    torch.testing.assert_close(logits(ours, pixels), logits(theirs, pixels), rtol=0, atol=CLOSE)


def test_an_old_torch_file_is_read_as_tensors_and_nothing_else(hub: Hub, tmp_path: Path):
    model = model_of("v1")
    torch.save(export_weights(model, "timm"), tmp_path / "tensors.bin")
    torch.save({"model": Path("anything")}, tmp_path / "object.bin")
    hub.put(NAME, {"pytorch_model.bin": (tmp_path / "tensors.bin").read_bytes()})
    hub.put("me/hostile", {"pytorch_model.bin": (tmp_path / "object.bin").read_bytes()})
    pixels = pictures()
    assert torch.equal(logits(swinkit.load(f"hf:{NAME}"), pixels), logits(model, pixels))
    with pytest.raises(DataError):
        swinkit.load("hf:me/hostile")


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        (transformers.SwinForImageClassification, transformers.SwinConfig),
        (transformers.Swinv2ForImageClassification, transformers.Swinv2Config),
    ],
)
def test_what_transformers_saves(hub: Hub, tmp_path: Path, kind: Any, config: Any):
    numbers = {"image_size": 64, "embed_dim": 12, "depths": [2, 2], "num_heads": [2, 4], "window_size": 4}
    names = dict(enumerate(LABELS))
    theirs = kind(config(**numbers, id2label=names, label2id={name: i for i, name in names.items()}))
    theirs = stirred(theirs).eval()
    theirs.save_pretrained(tmp_path / "saved")
    fit = {
        "size": {"height": 64, "width": 64},
        "resample": 2,
        "image_mean": [0.5] * 3,
        "image_std": [0.25] * 3,
    }
    (tmp_path / "saved" / "preprocessor_config.json").write_text(json.dumps(fit))
    put_folder(hub, tmp_path / "saved")
    ours = swinkit.load(f"hf:{NAME}")
    assert isinstance(ours, Classifier)
    assert ours.labels == LABELS
    expected = Preprocess.to_crop(
        crop=(64, 64), resize=None, interpolation="bilinear", mean=(0.5,) * 3, std=(0.25,) * 3
    )
    assert ours.preprocess == expected
    pixels = pictures()
    torch.testing.assert_close(logits(ours, pixels), logits(theirs, pixels), rtol=0, atol=CLOSE)


@pytest.mark.parametrize(
    ("family", "changes"),
    [
        ("v1", {}),
        ("v1", {"border": "square", "drop_path": 0.1, "mlp_ratio": 2.0, "window_sizes": ((8, 8), (4, 4))}),
        ("v2", {}),
        ("v2", {"pretrained_window_sizes": ((8, 8), (2, 2))}),
        ("v2-cr", {"norm_every": 1}),
    ],
)
def test_what_is_pushed_is_the_same_here_in_timm_and_in_transformers(
    hub: Hub, family: str, changes: dict[str, Any]
):
    model = model_of(family, **changes)
    swinkit.push(model, NAME)
    pixels = pictures()
    same_in_swinkit(model)
    theirs = timm.create_model(f"hf-hub:{NAME}", pretrained=True).eval()
    torch.testing.assert_close(logits(theirs, pixels), logits(model, pixels), rtol=0, atol=CLOSE)
    folder = Path(transformers.utils.cached_file(NAME, "config.json")).parent
    wrapped = transformers.AutoModelForImageClassification.from_pretrained(folder).eval()
    torch.testing.assert_close(logits(wrapped, pixels), logits(model, pixels), rtol=0, atol=CLOSE)
    assert tuple(wrapped.config.id2label.values()) == LABELS


@pytest.mark.parametrize(
    ("family", "changes", "why"),
    [
        ("mlp", {}, "it has no Swin-MLP"),
        ("moe", {}, "it has no Swin-MoE"),
        ("video", {}, "it has no Video Swin"),
        ("v1", {"absolute_grid": (16, 16)}, "no absolute position embedding"),
        ("v1", {"window_sizes": ((4, 4), (16, 16))}, "it cuts windows to the grid"),
    ],
)
def test_what_timm_has_not_is_pushed_for_swinkit_alone_and_the_card_says_so(
    hub: Hub, family: str, changes: dict[str, Any], why: str
):
    model = model_of(family, **changes)
    swinkit.push(model, NAME)
    same_in_swinkit(model)
    card = hub.repos[NAME].files["README.md"].decode()
    assert why in card
    assert "timm.create_model" not in card
    assert "architecture" not in json.loads(hub.repos[NAME].files["config.json"])


def same_in_swinkit(model: Classifier) -> None:
    """Check that a pushed model comes back to the bit, with its settings."""
    back = swinkit.load(f"hf:{NAME}")
    assert isinstance(back, Classifier)
    assert (back.backbone.spec, back.labels, back.preprocess) == (
        model.backbone.spec,
        model.labels,
        model.preprocess,
    )
    assert back.state_dict().keys() == model.state_dict().keys()
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in back.state_dict().items())


def test_timm_prepares_pictures_as_we_do(hub: Hub):
    model = model_of("v1")
    swinkit.push(model, NAME)
    theirs = timm.create_model(f"hf-hub:{NAME}", pretrained=True)
    steps = create_transform(**resolve_data_config({}, model=theirs)).transforms
    assert steps[0].size == model.preprocess.resize
    assert tuple(steps[1].size) == model.preprocess.crop
    assert steps[0].interpolation.value == model.preprocess.interpolation
    assert tuple(steps[3].mean.tolist()) == pytest.approx(model.preprocess.mean)


def test_where_timm_answers_otherwise_the_card_says_so(hub: Hub):
    model = model_of("v1", window_sizes=((7, 7), (7, 7)), border="square")
    swinkit.push(model, NAME)
    assert (
        "timm answers otherwise: its windows do not fit at 64 x 64 pixels"
        in hub.repos[NAME].files["README.md"].decode()
    )
    same_in_swinkit(model)

"""Folders that timm and transformers wrote, or we in their way: loaded by what is in them."""

from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
import transformers
from timm.models import save_for_hf
from torch import Tensor, nn

import swinkit
from swinkit.data.preprocess import Preprocess
from swinkit.errors import DataError
from swinkit.exporting.convert import convert_model
from swinkit.files.tensors import read_state
from swinkit.tasks.classification.model import Classifier

from .exporting.models import LABELS, classifier, pyramid
from .models.small import stirred

pytestmark = pytest.mark.slow

CLOSE = 2e-5  # of logits of size 1 in float32, by another order of the same sums
TIMM = ("swin_tiny_patch4_window7_224", "swinv2_tiny_window8_256", "swinv2_cr_tiny_ns_224")
SMALL = {"embed_dim": 12, "depths": (2, 2), "num_heads": (2, 4), "window_size": 4}


@pytest.mark.parametrize(
    ("family", "to"),
    [("v1", "timm"), ("v2", "timm"), ("v2-cr", "timm"), ("v1", "transformers"), ("v2", "transformers")],
)
def test_what_was_converted_is_loaded_and_converted_back(family: str, to: str, tmp_path: Path) -> None:
    model = classifier(family)
    convert_model(model, tmp_path / "theirs", to, check=False)
    loaded = swinkit.load(tmp_path / "theirs")
    assert isinstance(loaded, Classifier)
    assert (loaded.labels, loaded.preprocess) == (LABELS, model.preprocess)
    assert loaded.backbone.spec.window_sizes == model.backbone.spec.window_sizes
    require_equal(loaded.state_dict(), model.state_dict())
    swinkit.convert(tmp_path / "theirs", tmp_path / "again", to=to)
    one, other = (read_state(tmp_path / name / "model.safetensors") for name in ("theirs", "again"))
    require_equal(one, other)
    swinkit.convert(tmp_path / "theirs", tmp_path / "ours", to="swinkit")
    require_equal(swinkit.load(tmp_path / "ours").state_dict(), model.state_dict())


def require_equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    """Return the same tensors under the same names."""
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_file_in_a_folder_is_loaded_as_the_folder_is(tmp_path: Path) -> None:
    convert_model(classifier("v2"), tmp_path / "out", "timm", check=False)
    one, other = (swinkit.load(tmp_path / "out" / name) for name in ("", "model.safetensors"))
    assert isinstance(one, Classifier)
    assert isinstance(other, Classifier)
    assert (one.labels, one.preprocess) == (other.labels, other.preprocess)
    assert one.backbone.spec == other.backbone.spec


def test_a_backbone_comes_back_with_its_stages(tmp_path: Path) -> None:
    model = pyramid()
    convert_model(model, tmp_path / "out", "transformers", check=False)
    require_equal(swinkit.load(tmp_path / "out").state_dict(), model.state_dict())


@pytest.mark.parametrize("suffix", ["safetensors", "bin"])
@pytest.mark.parametrize("name", TIMM)
def test_what_timm_saves(name: str, suffix: str, tmp_path: Path) -> None:
    theirs = stirred(timm.create_model(name, img_size=64, num_classes=3, **SMALL)).eval()
    save_for_hf(theirs, str(tmp_path), safe_serialization=suffix == "safetensors")
    answers_alike(tmp_path, theirs)


def config_of(kind: Callable[..., transformers.PreTrainedConfig]) -> transformers.PreTrainedConfig:
    return kind(image_size=64, num_labels=3, **SMALL)


@pytest.mark.parametrize("name", ["Swin", "Swinv2"])
def test_what_transformers_saves(name: str, tmp_path: Path) -> None:
    kind = getattr(transformers, f"{name}ForImageClassification")
    theirs = stirred(kind(config_of(getattr(transformers, f"{name}Config")))).eval()
    theirs.save_pretrained(tmp_path)  # pyright: ignore[reportCallIssue]
    transformers.ViTImageProcessor(size={"height": 96, "width": 96}, resample=2).save_pretrained(tmp_path)
    ours = answers_alike(tmp_path, theirs)
    assert ours.labels == ("LABEL_0", "LABEL_1", "LABEL_2")
    assert ours.preprocess == Preprocess.to_crop(
        crop=(96, 96), resize=None, interpolation="bilinear", mean=(0.5,) * 3, std=(0.5,) * 3
    )


def answers_alike(folder: Path, theirs: nn.Module) -> Classifier:
    """Return the model loaded from `folder`, after checking its logits against those of `theirs`."""
    ours, pixels = swinkit.load(folder), torch.randn(2, 3, 64, 64)
    assert isinstance(ours, Classifier)
    with torch.inference_mode():
        answer = theirs(pixels)
        expected = getattr(answer, "logits", answer)
        torch.testing.assert_close(ours(pixels), expected, rtol=0, atol=CLOSE)
    return ours


def test_other_labels_and_a_new_head_are_for_such_folders_too(tmp_path: Path) -> None:
    convert_model(classifier(), tmp_path / "out", "timm", check=False)
    model = swinkit.load(tmp_path / "out", labels=["yes", "no"], head="new")
    assert isinstance(model, Classifier)
    assert model.labels == ("yes", "no")


def test_a_config_of_another_model_than_the_weights_is_refused(tmp_path: Path) -> None:
    convert_model(classifier(), tmp_path / "out", "timm", check=False)
    convert_model(classifier(embed_dim=24), tmp_path / "wide", "timm", check=False)
    (tmp_path / "wide" / "config.json").replace(tmp_path / "out" / "config.json")
    with pytest.raises(DataError, match="out"):
        swinkit.load(tmp_path / "out")

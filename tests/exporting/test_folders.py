"""Folders that timm and transformers load by themselves, with the pictures fitted as here."""

import json
from pathlib import Path

import pytest
import timm
import torch
import transformers
from PIL import Image

from swinkit.data.images import load_image
from swinkit.exporting.convert import convert_model

from ..parity.libraries import CLOSE, difference
from .models import LABELS, classifier, pyramid

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("family", ["v1", "v2", "v2-cr"])
def test_timm_builds_the_model_from_the_folder_alone(family: str, tmp_path: Path):
    model = classifier(family)
    convert_model(model, tmp_path / "out", "timm")
    theirs = timm.create_model(f"local-dir:{tmp_path / 'out'}", pretrained=True).eval()
    assert difference(model, theirs, torch.randn(2, 3, 64, 64)) < CLOSE
    assert theirs.pretrained_cfg["label_names"] == list(LABELS)


def test_timm_fits_pictures_as_we_do(tmp_path: Path):
    model, picture = classifier(), photograph()
    convert_model(model, tmp_path / "out", "timm")
    theirs = timm.create_model(f"local-dir:{tmp_path / 'out'}", pretrained=True)
    transform = timm.data.create_transform(**timm.data.resolve_data_config(model=theirs))
    ours = model.preprocess(load_image(picture))
    assert (transform(picture) - ours).abs().max() < 0.05  # Pillow rounds what it resizes to whole numbers


@pytest.mark.parametrize("resize", [73, None])
def test_transformers_loads_the_folder_and_fits_pictures_as_we_do(resize: int | None, tmp_path: Path):
    model, picture = classifier(), photograph()
    model.preprocess = type(model.preprocess).to_crop(crop=(64, 64), resize=resize, interpolation="bilinear")
    convert_model(model, tmp_path / "out", "transformers")
    processor = transformers.AutoImageProcessor.from_pretrained(tmp_path / "out")
    theirs = transformers.AutoModelForImageClassification.from_pretrained(tmp_path / "out").eval()
    pixels = processor(picture, return_tensors="pt").pixel_values
    ours = model.preprocess(load_image(picture))
    assert (pixels[0] - ours).abs().max() < 1e-5
    with torch.inference_mode():
        logits, expected = theirs(pixels).logits, model(ours[None])
    assert (logits - expected).abs().max() < CLOSE * expected.abs().max()
    assert theirs.config.id2label == dict(enumerate(LABELS))


def test_transformers_knows_which_stages_a_backbone_gives_out(tmp_path: Path):
    model = pyramid()
    convert_model(model, tmp_path / "out", "transformers")
    theirs = transformers.SwinBackbone.from_pretrained(tmp_path / "out").eval()
    x = torch.randn(1, 3, 72, 72)
    with torch.inference_mode():
        maps = theirs(x).feature_maps
    assert [tuple(each.shape) for each in maps] == [(1, 12, 18, 18), (1, 24, 9, 9)]
    assert theirs.out_features == ["stage1", "stage2"]


def photograph() -> Image.Image:
    """130 x 90 pixels, smooth enough to be resized alike by everyone."""
    noise = (torch.rand(9, 13, 3, generator=torch.Generator().manual_seed(0)) * 255).byte()
    return Image.fromarray(noise.numpy()).resize((130, 90), Image.Resampling.BICUBIC)


def test_config_of_timm_says_one_number_where_windows_are_alike(tmp_path: Path):
    """So that an older timm, which takes no window for each stage, reads it too."""
    convert_model(classifier(), tmp_path / "out", "timm", check=False)
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["model_args"]["window_size"] == 4

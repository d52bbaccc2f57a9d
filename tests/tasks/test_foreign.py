"""What a strange file's model is taken to be: its usual size, how pictures are fitted, and who told."""

import pytest
import torch
import torchvision

from swinkit.models.build import build
from swinkit.models.specs import VARIANTS
from swinkit.tasks.classification.foreign import load_file, published_preprocess, usual_size
from swinkit.weights.load import export_weights


@pytest.mark.parametrize(
    ("size", "resize", "crop"),
    [
        ((224, 224), 256, (224, 224)),
        ((256, 256), 292, (256, 256)),
        ((192, 192), 219, (192, 192)),
        ((384, 384), None, (384, 384)),
        ((32, 224, 224), 256, (224, 224)),
    ],
)
def test_pictures_are_fitted_as_microsoft_evaluates(size, resize, crop):
    fit = published_preprocess(size)
    assert (fit.resize, fit.crop, fit.interpolation) == (resize, crop, "bicubic")


@pytest.mark.parametrize(
    "name", ["swin-b", "swin-b-w12-384", "swinv2-t-w16", "swinv2-b-w24-from12", "video-swin-l"]
)
def test_the_usual_size_is_told_by_the_windows(name):
    variant = VARIANTS[name]
    assert usual_size(variant.spec, None) == variant.size


def test_the_usual_size_of_unknown_numbers_is_that_of_the_files_name():
    spec = VARIANTS["swin-pico"].spec
    other = type(spec)(embed_dim=24, depths=(1,), num_heads=(2,), window_sizes=((4, 4),))
    assert usual_size(other, "swinv2-t") == (256, 256)
    assert usual_size(other, None) == (224, 224)


def test_a_v2_of_torchvision_is_evaluated_at_its_own_size_and_all_is_said(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save(torchvision.models.swin_v2_t().state_dict(), path)
    model, report = load_file(path, None, None)
    assert model.preprocess.crop == (256, 256)
    assert "pictures: shorter side 292, middle (256, 256) pixels, as Microsoft evaluates" in report
    assert "1000 class names: ImageNet-1k, as 1000 classes suggest" in report


def test_a_video_swin_runs_with_the_published_slice(tmp_path):
    spec = VARIANTS["video-swin-t"].spec
    small = type(spec)(
        patch=(2, 4, 4),
        merge=(1, 2, 2),
        embed_dim=8,
        depths=(1, 1),
        num_heads=(2, 2),
        window_sizes=((8, 7, 7),) * 2,
    )
    torch.save(export_weights(build(small), "swinkit-backbone"), tmp_path / "ours.pth")
    torch.save(
        {f"backbone.{k}": v for k, v in export_weights(build(small), "openmmlab-video-backbone").items()},
        tmp_path / "theirs.pth",
    )
    ours, _ = load_file(tmp_path / "ours.pth", None, None)
    theirs, report = load_file(tmp_path / "theirs.pth", None, None)
    assert (ours.spec.clipped_bias, theirs.spec.clipped_bias) == ("middle", "leading")
    assert "clipped bias of the published slice" in report

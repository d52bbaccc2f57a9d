"""What a strange file's model is taken to be: its usual size, how pictures are fitted, and who told."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

import swinkit
from swinkit.core.spec import Spec
from swinkit.data.preprocess import Preprocess
from swinkit.errors import DataError, UsageError
from swinkit.models.build import build
from swinkit.models.catalogue import canonical_name
from swinkit.models.families import SpecV2
from swinkit.models.specs import VARIANTS
from swinkit.tasks.classification.model import Classifier
from swinkit.tasks.from_checkpoint import architecture, load_file, note_routing, usual_size
from swinkit.tasks.from_recipe import published_preprocess
from swinkit.tasks.simmim.model import SimMIM
from swinkit.weights.buffers import coordinates
from swinkit.weights.dialect import Translation
from swinkit.weights.load import canonical, export_weights
from swinkit.zoo.hub_configs import Facts

from ..weights.models import classifier as five_classes


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


SMALL = {"embed_dim": 8, "depths": (1, 1), "num_heads": (2, 2)}
V1 = Spec(**SMALL, window_sizes=((4, 4),) * 2)


def saved(path: Path, model: nn.Module, dialect: str = "microsoft") -> Path:
    """Return a file of the model's weights in another library's names."""
    torch.save(export_weights(model, dialect), path)
    return path


def classifier(spec: Spec, classes: int) -> Classifier:
    """Return a small one."""
    fit = Preprocess.to_crop(crop=(16, 16), resize=16)
    return Classifier(build(spec), [f"class {i}" for i in range(classes)], fit)


def test_what_is_known_beside_the_tensors_is_used(tmp_path):
    facts = Facts(
        spec=replace(V1, window_sizes=((4, 4), (2, 2)), drop_path=0.5),
        dialect="timm",
        preprocess={"crop": (16, 16), "resize": 20, "interpolation": "bilinear"},
        labels=("cat", "dog", "bird"),
    )
    path = saved(tmp_path / "file.pth", classifier(facts.spec, 3), "timm")
    model, report = load_file(path, facts)
    assert isinstance(model, Classifier)
    assert model.labels == ("cat", "dog", "bird")
    assert (model.preprocess.resize, model.preprocess.interpolation) == (20, "bilinear")
    assert (model.backbone.spec.drop_path, model.backbone.spec.border) == (0.5, "roll-first")
    assert "from its configuration" in report
    assert "shorter side 20, middle 16x16 pixels, bilinear, as published with the weights" in report


def test_a_dialect_that_is_told_is_not_guessed(tmp_path):
    path = saved(tmp_path / "file.pth", classifier(V1, 3))
    with pytest.raises(DataError, match=r"file\.pth: .*torchvision"):
        load_file(path, Facts(dialect="torchvision"))


def test_another_number_of_labels_needs_a_new_head(tmp_path):
    path = saved(tmp_path / "file.pth", classifier(V1, 3))
    facts = Facts(labels=("cat", "dog"))
    with pytest.raises(UsageError, match="2 labels were given, but the file has 3 classes"):
        load_file(path, facts)
    model, report = load_file(path, facts, head="new")
    assert isinstance(model, Classifier)
    assert model.head.classifier.weight.shape == (2, 16)
    assert not model.head.classifier.weight.any()
    assert "reinitialised" in report


def test_a_backbone_becomes_a_classifier_with_a_new_head(tmp_path):
    path = saved(tmp_path / "file.pth", build(V1), "swinkit-backbone")
    model, _ = load_file(path, Facts(labels=("cat", "dog")), head="new")
    assert isinstance(model, Classifier)
    assert model(torch.zeros(1, 3, 16, 16)).shape == (1, 2)


def test_weights_of_masked_pre_training_keep_their_decoder(tmp_path):
    original = SimMIM(build(V1))
    path = saved(tmp_path / "file.pth", original, "microsoft-simmim")
    model, report = load_file(path)
    assert isinstance(model, SimMIM)
    assert torch.equal(model.mask_token, original.mask_token)
    assert "mask token and decoder of masked pre-training" in report


def test_windows_that_are_told_otherwise_than_the_file_has_them_are_said(tmp_path):
    spec = SpecV2(**SMALL, window_sizes=((4, 4),) * 2)
    path = saved(tmp_path / "file.pth", classifier(spec, 3))
    assert "but the file was saved with" not in load_file(path, Facts(spec=spec))[1]
    _, report = load_file(path, Facts(spec=replace(spec, window_sizes=((8, 8),) * 2)))
    assert "windows ((8, 8), (8, 8))" in report
    assert "but the file was saved with ((4, 4), (4, 4))" in report


def test_a_v2_of_torchvision_is_evaluated_at_its_own_size_and_all_is_said(tmp_path):
    import torchvision

    path = tmp_path / "weights.pth"
    torch.save(torchvision.models.swin_v2_t().state_dict(), path)
    model, report = load_file(path)
    assert model.preprocess.crop == (256, 256)
    assert "pictures: shorter side 292, middle 256x256 pixels, bicubic, as Microsoft evaluates" in report
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
    ours, _ = load_file(tmp_path / "ours.pth")
    theirs, report = load_file(tmp_path / "theirs.pth")
    assert (ours.spec.clipped_bias, theirs.spec.clipped_bias) == ("middle", "leading")
    assert "clipped bias of the published slice" in report


def test_averaged_weights_are_taken_by_their_entry(tmp_path: Path):
    raw, averaged = (export_weights(five_classes(), "timm") for _ in range(2))
    torch.save({"state_dict": raw, "state_dict_ema": averaged}, tmp_path / "run.pth")
    for entry, state in ((None, raw), ("state_dict_ema", averaged)):
        model, _ = load_file(tmp_path / "run.pth", entry=entry)
        assert torch.equal(model.head.classifier.weight, state["head.fc.weight"])
    with pytest.raises(UsageError, match="teacher"):
        load_file(tmp_path / "run.pth", entry="teacher")


def test_a_moe_file_is_routed_as_its_name_says_or_the_report_tells_how():
    """Two published models differ in routing alone, which is in no tensor."""
    chosen = {
        name: architecture(moe_reading(name), canonical_name(f"{stem}.pth"), Facts())[0]
        for name, stem in (
            ("swin-moe-b-32e", "swin_moe_base_patch4_window12_192_32expert_32gpu_22k"),
            ("swin-moe-b-32e-top2", "swin-moe-b-32e-top2"),
            ("swin-moe-s-8e", "swin_moe_small_patch4_window12_192_8expert_32gpu_22k"),
        )
    }
    assert {name: spec.top_k for name, spec in chosen.items()}["swin-moe-b-32e-top2"] == 2
    assert all(spec == VARIANTS[name].spec for name, spec in chosen.items())
    unknown, _, told_by = architecture(moe_reading("swin-moe-s-8e"), canonical_name("mine.pth"), Facts())
    (note,) = note_routing(unknown, told_by)
    assert "top_k 1" in note
    assert "capacity_multiple 1" in note
    assert note_routing(chosen["swin-moe-s-8e"], "the tensors and the file's name") == []


def moe_reading(name: str) -> Translation:
    """Return the translation of a published Swin-MoE on the meta device, with its stored coordinates."""
    spec = VARIANTS[name].spec
    with torch.device("meta"):
        model = build(spec)
    mixer = "backbone.stages.{}.blocks.0.token_mixer.bias.coordinates"
    kept = {mixer.format(stage): coordinates(spec, stage) for stage in range(len(spec.depths))}
    return Translation(canonical(model), kept, {}, (), (), ())


def test_a_dialect_can_be_said_where_two_fit(tmp_path: Path):
    whole = export_weights(five_classes(), "openmmlab")
    headless = {name: tensor for name, tensor in whole.items() if not name.startswith("head.")}
    torch.save(headless, tmp_path / "backbone.pth")
    with pytest.raises(DataError, match="--from"):
        swinkit.load(tmp_path / "backbone.pth")
    model = swinkit.load(tmp_path / "backbone.pth", dialect="openmmlab")
    assert torch.equal(model.embed.proj.weight, whole["backbone.patch_embed.projection.weight"])
    with pytest.raises(UsageError, match="openmmlab"):
        swinkit.load(tmp_path / "backbone.pth", dialect="openmmlb")

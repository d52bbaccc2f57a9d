"""A file's weights in another model than they were made for, from the file to the answer."""

from pathlib import Path

import pytest
import torch

from swinkit.errors import DataError, UsageError
from swinkit.tasks.from_checkpoint import load_file
from swinkit.tasks.simmim.model import SimMIM
from swinkit.weights.load import export_weights, load_weights
from swinkit.zoo.hub_configs import Facts

from ..models.small import pixels, small, spec, stirred
from ..weights.models import classifier


def saved(folder: Path, model: torch.nn.Module, dialect: str = "microsoft") -> Path:
    """`model` in a file of `dialect`."""
    torch.save(export_weights(model, dialect), folder / "weights.pth")
    return folder / "weights.pth"


def test_a_head_of_imagenet_22k_answers_in_the_classes_of_imagenet_1k(tmp_path):
    path = saved(tmp_path, classifier(num_classes=21841, embed_dim=4, num_heads=(2, 2), border="square"))
    whole, _ = load_file(path)
    model, report = load_file(path, head="mapped")
    assert (len(whole.labels), len(model.labels)) == (21841, 1000)
    assert "mapped           2: `head.classifier.weight to 1000 of 21841 classes" in report
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(model(x)[:, 0], whole(x)[:, whole.labels.index(model.labels[0])])


def test_own_labels_begin_with_a_head_of_zeros(tmp_path):
    path = saved(tmp_path, classifier(border="square"))
    with pytest.raises(UsageError, match="2 labels were given, but the file has 5 classes"):
        load_file(path, Facts(labels=("cat", "dog")))
    model, report = load_file(path, Facts(labels=("cat", "dog")), head="new")
    assert model.labels == ("cat", "dog")
    assert not model(pixels()).any()
    assert "at zero: 5 classes in the file, 2 in the model" in report


@pytest.mark.parametrize(("tables", "way"), [(None, "bicubic"), ("geometric", "geometric")])
def test_another_window_comes_with_the_architecture(tmp_path, tables: str | None, way: str):
    wider = Facts(spec=spec(window_sizes=((6, 6),) * 2))
    model, report = load_file(saved(tmp_path, classifier(border="square")), wider, tables=tables)
    assert model.backbone.spec.window_sizes == ((6, 6), (6, 6))
    assert f"from window (4, 4) to (6, 6), {way}" in report


def test_a_picture_file_becomes_a_model_of_clips_with_its_own_borders(tmp_path):
    clips = Facts(spec=spec("video", clipped_bias="leading"))
    model, report = load_file(saved(tmp_path, classifier(border="square")), clips)
    assert (model.backbone.spec.border, model.backbone.spec.clipped_bias) == ("clip", "leading")
    assert "inflated         5: " in report
    assert "border policy" not in report
    assert model(pixels("video")).shape == (2, 5)


def masked(**changes: object) -> SimMIM:
    """Return a small model of masked pictures."""
    return stirred(SimMIM(small(**changes)))


def test_masked_pretraining_goes_into_a_classifier_whose_head_is_new():
    source, target = masked(border="square"), classifier(window_sizes=((6, 6),) * 2)
    state = export_weights(source, "microsoft-simmim")
    with pytest.raises(DataError, match="head='new'"):
        load_weights(target, state)
    report = load_weights(target, state, head="new")
    assert set(report.unused) == {"mask_token", "head.decoder.weight", "head.decoder.bias"}
    assert set(report.reinitialised) == {"head.classifier.weight", "head.classifier.bias"}
    assert set(report.resized.values()) == {"from window (4, 4) to (6, 6), geometric"}
    assert torch.equal(target.head.norm.weight, source.head.norm.weight)


def test_a_classifier_goes_into_masked_pretraining_whose_decoder_is_new():
    source, target = classifier(), masked()
    token = target.mask_token.detach().clone()
    report = load_weights(target, export_weights(source, "microsoft"), head="new")
    assert set(report.unused) == {"head.classifier.weight", "head.classifier.bias"}
    assert set(report.reinitialised) == {"mask_token", "head.decoder.weight", "head.decoder.bias"}
    assert torch.equal(target.mask_token, token)

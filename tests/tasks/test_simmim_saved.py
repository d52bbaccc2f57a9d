"""A masked image model as a folder and back; its backbone in a classifier and in other libraries' files."""

import json
from pathlib import Path

import pytest
import torch

import swinkit
from swinkit.data.preprocess import Preprocess
from swinkit.data.rng import draws
from swinkit.errors import DataError, UsageError
from swinkit.files.folder import SavedModel, read_folder, write_folder
from swinkit.tasks.classification.model import Classifier
from swinkit.tasks.classification.transfer import classifier_from
from swinkit.tasks.simmim.data import Batch
from swinkit.tasks.simmim.mask_generator import draw_masks
from swinkit.tasks.simmim.model import SimMIM
from swinkit.tasks.simmim.settings import Masking
from tests.models.small import small, spec, stirred

MASKING = Masking(patch=8, ratio=0.5, target_window=5)
FIT = Preprocess.to_crop(crop=(32, 64), resize=70, interpolation="bilinear", mean=(0.4, 0.5, 0.6))


def model_of(family: str = "v1", **changes: object) -> SimMIM:
    """Small, with settings that are nobody's defaults."""
    return stirred(SimMIM(small(family, **changes), MASKING, FIT)).eval()


def trained(family: str = "v1") -> SimMIM:
    """After a few steps by hand."""
    model = model_of(family).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for step in range(3):
        mask = draw_masks([draws(step, i) for i in range(2)], MASKING, FIT.crop, (4, 4))
        sum(model.losses(Batch(torch.randn(2, 3, *FIT.crop), mask)).values()).backward()
        optimiser.step()
        optimiser.zero_grad()
    return model.eval()


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    """Whether all tensors are equal to the bit."""
    a, b = one.state_dict(), other.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize(
    ("family", "changes"),
    [
        ("v1", {}),
        ("v1", {"in_channels": 5, "border": "square"}),
        ("v2", {"drop_path": 0.1}),
        ("video", {}),
        ("signal", {}),
    ],
)
def test_a_saved_model_comes_back_to_the_bit(tmp_path: Path, family: str, changes: dict):
    model = model_of(family, **changes)
    swinkit.save(model, tmp_path / "model")
    loaded = swinkit.load(tmp_path / "model")
    assert isinstance(loaded, SimMIM)
    assert same(model, loaded)
    assert (loaded.masking, loaded.preprocess) == (MASKING, FIT)
    assert loaded.backbone.spec == model.backbone.spec
    assert not loaded.training


def test_a_saved_model_answers_as_before(tmp_path: Path):
    model, picture = trained(), torch.randint(0, 256, (3, 80, 90), dtype=torch.uint8)
    swinkit.save(model, tmp_path / "model")
    one, other = model.predict(picture), swinkit.load(tmp_path / "model").predict(picture)
    assert torch.equal(one.reconstruction, other.reconstruction)
    assert torch.equal(one.mask, other.mask)


def test_the_card_says_what_it_is_and_may_be_another(tmp_path: Path):
    model = model_of()
    swinkit.save(model, tmp_path / "model")
    card = (tmp_path / "model" / "README.md").read_text()
    assert "50% of the pictures\nwere hidden, in cells of 8 x 8 pixels" in card
    swinkit.save(model, tmp_path / "model", card="# Mine\n")
    assert (tmp_path / "model" / "README.md").read_text() == "# Mine\n"


@pytest.mark.parametrize(
    ("masking", "message"),
    [
        (None, "`masking` must have the fields patch, ratio, target_window"),
        ({"patch": 8, "ratio": 0.5}, "`masking` must have the fields"),
        ({"patch": 8, "ratio": 2, "target_window": None}, r"config.json: masking.ratio is 2"),
    ],
)
def test_settings_that_are_damaged_are_told_with_the_folder(tmp_path: Path, masking: object, message: str):
    swinkit.save(model_of(), tmp_path / "model")
    saved = read_folder(tmp_path / "model")
    config = {**saved.config, "masking": masking}
    write_folder(tmp_path / "model", SavedModel(config, saved.preprocess, [], saved.state, ""))
    with pytest.raises(DataError, match=rf"model: .*{message}"):
        swinkit.load(tmp_path / "model")


def test_a_task_that_is_not_known_is_told(tmp_path: Path):
    swinkit.save(model_of(), tmp_path / "model")
    saved = read_folder(tmp_path / "model")
    config = {**saved.config, "task": "detection"}
    write_folder(tmp_path / "model", SavedModel(config, saved.preprocess, [], saved.state, ""))
    with pytest.raises(DataError, match="holds a model for 'detection', which this swinkit does not know"):
        swinkit.load(tmp_path / "model")


def test_a_model_without_a_task_is_not_saved(tmp_path: Path):
    with pytest.raises(
        UsageError, match="model is a Swin, which has no task; convert it to a file of weights"
    ):
        swinkit.save(small(), tmp_path / "model")


def test_a_saved_model_begins_a_classifier(tmp_path: Path, capsys: pytest.CaptureFixture):
    model = trained()
    swinkit.save(model, tmp_path / "model")
    made = swinkit.load(tmp_path / "model", labels=("cat", "dog", "eel"), head="new")
    assert isinstance(made, Classifier)
    assert (made.labels, made.preprocess) == (("cat", "dog", "eel"), FIT)
    assert same(made.backbone, model.backbone)
    assert torch.equal(made.head.norm.weight, model.head.norm.weight)
    assert "head.decoder.weight" in capsys.readouterr().err


@pytest.mark.parametrize(("tables", "way"), [(None, "geometric"), ("bicubic", "bicubic")])
def test_other_windows_take_their_tables_as_simmims_fine_tuning_does(tables: str | None, way: str):
    model = trained()
    made, report = classifier_from(model, ("a", "b"), spec=spec(window_sizes=((6, 6),) * 2), tables=tables)
    assert made.backbone.spec.window_sizes == ((6, 6), (6, 6))
    assert set(report.resized.values()) == {f"from window (4, 4) to (6, 6), {way}"}


def test_a_variant_of_other_windows_sees_pictures_of_its_usual_size(tmp_path: Path):
    """As swin-b pre-trained at 192 pixels with windows of 6 is fine-tuned at 224 with windows of 7."""
    numbers = swinkit.variants()["swin-pico"].spec
    changes = {"window_sizes": ((3, 3),) * len(numbers.depths), "border": "square"}
    model = SimMIM(swinkit.backbone("swin-pico", **changes), MASKING, FIT)
    swinkit.save(model, tmp_path / "model")
    made = swinkit.load(tmp_path / "model", labels=("a", "b"), head="new", variant="swin-pico")
    assert made.backbone.spec.window_sizes == numbers.window_sizes
    assert made.backbone.spec.border == "square"
    assert made.preprocess.crop == swinkit.variants()["swin-pico"].size
    assert made.preprocess.mean == FIT.mean


def test_a_saved_classifier_begins_another_of_other_classes(tmp_path: Path):
    old = stirred(Classifier(small(), ("a", "b"), FIT)).eval()
    swinkit.save(old, tmp_path / "model")
    made = swinkit.load(tmp_path / "model", labels=("x", "y", "z"), head="new")
    assert same(made.backbone, old.backbone)
    assert not made.head.classifier.weight.any()


@pytest.mark.parametrize("asked", [{"labels": ("a",)}, {"head": "new"}, {"variant": "swin-pico"}])
def test_half_a_wish_for_another_head_is_refused(tmp_path: Path, asked: dict):
    swinkit.save(model_of(), tmp_path / "model")
    with pytest.raises(UsageError, match="head='new' with labels begins a classifier"):
        swinkit.load(tmp_path / "model", **asked)


@pytest.mark.parametrize(
    ("family", "to", "out"),
    [
        ("v1", "microsoft", "simmim.pth"),
        ("v2", "microsoft", "simmim.pth"),
        ("v1", "swinkit", "folder"),
        ("v1", "transformers", "folder"),
        ("v2", "transformers", "folder"),
    ],
)
def test_a_trained_model_goes_to_other_libraries(tmp_path: Path, family: str, to: str, out: str):
    """Proved there: transformers' own model, or the file read back, answers alike."""
    swinkit.save(trained(family), tmp_path / "model")
    conversion = swinkit.convert(tmp_path / "model", tmp_path / out, to=to)
    assert not isinstance(conversion.proof, str)
    assert conversion.proof.holds
    if to != "transformers":
        again = swinkit.load(tmp_path / out)
        assert isinstance(again, SimMIM)
        assert same(again, swinkit.load(tmp_path / "model"))
    else:
        assert (
            "MaskedImageModeling"
            in json.loads((tmp_path / out / "config.json").read_text())["architectures"][0]
        )


@pytest.mark.parametrize(("family", "window"), [("v1", None), ("v2", 47)])
def test_a_file_of_microsofts_is_shown_as_its_authors_trained_it(
    tmp_path: Path, family: str, window: int | None
):
    """V2's decoder answers with normed pixels, which no tensor tells."""
    swinkit.save(model_of(family), tmp_path / "model")
    swinkit.convert(tmp_path / "model", tmp_path / "file.pth", to="microsoft")
    assert swinkit.load(tmp_path / "file.pth").masking == Masking(patch=8, target_window=window)

"""The public functions: what loads, what is refused, and what comes back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn

import swinkit
from swinkit.core.backbone import Swin
from swinkit.data.classes import imagenet_1k_names, imagenet_22k_names, kinetics_400_names, require_labels
from swinkit.errors import DataError, EnvironmentProblem, UsageError
from swinkit.heads.pyramid import Pyramid
from swinkit.tasks.classification.model import Classifier
from swinkit.tasks.registry import TASKS
from swinkit.weights.load import export_weights


def small_timm() -> nn.Module:
    """Return a timm V1 small enough for a test."""
    import timm

    return timm.models.swin_transformer.SwinTransformer(
        img_size=64, embed_dim=16, depths=(2, 2), num_heads=(2, 4), window_size=4, num_classes=5
    ).eval()


def test_the_default_is_the_embedded_model_in_eval_mode() -> None:
    model = swinkit.load()
    assert isinstance(model, Classifier)
    assert not model.training
    assert "cat" in model.labels


@pytest.mark.parametrize("name", ["swin-pico/cifar-10", "swin-pico"])
def test_checkpoints_are_found_by_name(name: str) -> None:
    loaded, default = swinkit.load(name), swinkit.load()
    assert all(torch.equal(a, b) for a, b in zip(loaded.parameters(), default.parameters(), strict=True))


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ("swin-t", UsageError, "swin-t: several checkpoints are of swin-t; name one: swin-t/imagenet-1k,"),
        ("swinv2-l", UsageError, r"no published weights of swinv2-l are known.*backbone\('swinv2-l'\)"),
        ("swin-t/imagenet-1k", EnvironmentProblem, "swin-t/imagenet-1k: it is not in the cache"),
        ("swin_tiny_patch4_window7_224.pth", DataError, "no such file or folder"),
        ("swinv2-bb", UsageError, "did you mean 'swinv2-b'"),
        ("swin-pico/cifar10", UsageError, "did you mean 'swin-pico/cifar-10'"),
        ("resnet", UsageError, "no such file, folder or checkpoint"),
        ("nowhere.pth", DataError, "nowhere.pth: no such file or folder"),
    ],
)
def test_what_is_not_there_is_explained(source: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        swinkit.load(source)


def test_a_saved_model_answers_alike(tmp_path: Path) -> None:
    model = swinkit.load()
    swinkit.save(model, tmp_path / "saved")
    again = swinkit.load(tmp_path / "saved")
    pixels = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(model(pixels), again(pixels))
    assert (again.labels, again.preprocess) == (model.labels, model.preprocess)
    files = {file.name for file in (tmp_path / "saved").iterdir()}
    assert files == {"model.safetensors", "config.json", "preprocess.json", "labels.json", "README.md"}


def test_the_weights_of_a_saved_model_are_not_loaded_without_what_lies_beside_them(tmp_path: Path) -> None:
    swinkit.save(swinkit.load(), tmp_path / "saved")
    with pytest.raises(UsageError, match="is part of a saved model; load its folder"):
        swinkit.load(tmp_path / "saved" / "model.safetensors")


def test_a_foreign_file_answers_as_its_library_and_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = small_timm()
    torch.save({"state_dict": theirs.state_dict(), "epoch": 300}, tmp_path / "file.pth")
    ours = swinkit.load(tmp_path / "file.pth", labels=list("abcde"))
    pixels = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(ours(pixels), theirs(pixels))
    report = capsys.readouterr().err
    assert "weights in the names of timm" in report
    assert "border policy: roll-first, as timm runs them" in report
    assert "opened: `state_dict`; left alone: `epoch`" in report
    assert "5 class names: given" in report


def test_a_headless_file_gives_a_backbone(tmp_path: Path) -> None:
    state = {k: v for k, v in small_timm().state_dict().items() if not k.startswith(("head.", "norm."))}
    torch.save(state, tmp_path / "file.pth")
    assert isinstance(swinkit.load(tmp_path / "file.pth"), Swin)


def test_a_dense_forks_backbone_gives_a_pyramid_with_its_padding(tmp_path: Path) -> None:
    pyramid = Pyramid(swinkit.backbone("swin-pico", patch=(4, 4), border="pad"), (1, 2)).eval()
    torch.save({"state_dict": export_weights(pyramid, "openmmlab-fork")}, tmp_path / "file.pth")
    loaded = swinkit.load(tmp_path / "file.pth")
    assert isinstance(loaded, Pyramid)
    pixels = torch.randn(1, 3, 50, 70)
    with torch.inference_mode():
        for ours, theirs in zip(loaded(pixels), pyramid(pixels), strict=True):
            assert torch.equal(ours, theirs)


def test_wrong_labels_are_counted(tmp_path: Path) -> None:
    torch.save(small_timm().state_dict(), tmp_path / "file.pth")
    with pytest.raises(UsageError, match="2 labels were given, but the file has 5 classes"):
        swinkit.load(tmp_path / "file.pth", labels=["a", "b"])


def test_a_v2_without_its_windows_must_be_named(tmp_path: Path) -> None:
    import timm

    v2 = timm.models.swin_transformer_v2.SwinTransformerV2(
        img_size=64, embed_dim=16, depths=(1, 1), num_heads=(2, 4), window_size=8, num_classes=5
    )
    torch.save(v2.state_dict(), tmp_path / "file.pth")
    with pytest.raises(UsageError, match="name the variant"):
        swinkit.load(tmp_path / "file.pth")


def test_backbone_changes_are_checked() -> None:
    assert swinkit.backbone("swin-pico", in_channels=1).embed.proj.in_channels == 1
    with pytest.raises(UsageError, match=r"has no field 'in_chans', did you mean 'in_channels'\?"):
        swinkit.backbone("swin-pico", in_chans=1)
    with pytest.raises(UsageError, match="num_heads has 1 entries"):
        swinkit.backbone("swin-pico", num_heads=(3,))


@pytest.mark.parametrize(
    "changes",
    [
        {"embed_dim": 96.0},
        {"depths": (2, 2.5, 6, 2)},
        {"in_channels": 2.5},
        {"mlp_ratio": float("inf")},
        {"qk_scale": "a"},
        {"qk_scale": 0.0},
        {"qkv_bias": "no"},
        {"window_sizes": ((7.0, 7.0),) * 4},
        {"patch": (4, 4, 4, 4)},
    ],
)
def test_a_change_that_no_swin_can_have_is_a_usage_error(changes):
    with pytest.raises(UsageError, match=next(iter(changes))):
        swinkit.backbone("swin-t", **changes)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("abc", "labels is 'abc'; it must be a list of names"),
        (b"abc", "it must be a list of names"),
        ({"cat", "dog"}, "it must be a list of names"),  # in no order
        ({0: "cat"}, "it must be a list of names"),
        (iter(["cat"]), "it must be a list of names"),
        ([], r"labels is \[\]; it must be a list of names"),
        ([0, 1, 2], r"labels is \[0, 1, 2\]; .*each of them text"),
        (["cat", ""], "each of them text that is not empty"),
        (["cat", "dog", "cat"], "labels has `cat` more than once; give each class a name of its own"),
    ],
)
@pytest.mark.parametrize("source", [None, "file.pth"])
def test_labels_that_name_no_classes_are_refused(labels, message, source, tmp_path):
    torch.save({}, tmp_path / "file.pth")
    with pytest.raises(UsageError, match=message):
        swinkit.load(source and tmp_path / source, labels=labels, head="new")


def test_labels_of_any_ordered_kind_name_classes():
    for labels in (["cat", "dog"], ("cat", "dog"), np.array(["cat", "dog"])):
        model = swinkit.load(labels=labels, head="new", reporting=lambda _: None)
        assert model.labels == ("cat", "dog")


@pytest.mark.parametrize("names", [imagenet_1k_names, imagenet_22k_names, kinetics_400_names])
def test_names_of_published_classes_can_be_given(names):
    assert require_labels(names()) == names()


def test_arguments_of_a_wrong_type_are_one_sentence(tmp_path: Path) -> None:
    model: Any = swinkit.load("swin-pico/cifar-10", reporting=lambda _: None)
    calls: dict[str, Callable[[], object]] = {
        "source is 5; it must be a path": lambda: swinkit.load(cast(Any, 5)),
        "source is ''; it must be a path": lambda: swinkit.load(""),
        "variant is 5; it must be text": lambda: swinkit.load(variant=cast(Any, 5)),
        "labels is 5; it must be a list of names": lambda: swinkit.load(labels=cast(Any, 5), head="new"),
        "name is None; it must be text": lambda: swinkit.backbone(cast(Any, None)),
        "variant is 7; it must be text": lambda: swinkit.checkpoints(cast(Any, 7)),
        "to is None; it must be text": lambda: swinkit.convert("swin-t", "a.pth", to=cast(Any, None)),
        "out is None; it must be a path": lambda: swinkit.convert("swin-t", cast(Any, None), to="timm"),
        "folder is None; it must be a path": lambda: swinkit.save(model, cast(Any, None)),
        "card is 5; it must be text": lambda: swinkit.save(model, tmp_path / "model", card=cast(Any, 5)),
        "model is None; it must be Module": lambda: swinkit.optimize(cast(Any, None)),
        "split is 5; it must be text": lambda: swinkit.evaluate(model, tmp_path, split=cast(Any, 5)),
        "data is None; it must be a path": lambda: swinkit.evaluate(model, cast(Any, None)),
        "batch_size is 2.5; it must be a whole": lambda: swinkit.evaluate(
            model, tmp_path, batch_size=cast(Any, 2.5)
        ),
        "data is 5; it must be a path": lambda: swinkit.train("cifar10-swin-pico", cast(Any, 5), tmp_path),
        "push() got an unknown score 'top2'; expected top1": lambda: swinkit.push(model, "me/a", top2=0.5),
        "top is 'x'; it must be a whole number": lambda: model.predict("cat.jpg", top="x"),
        "batch_size is 'a'; it must be a whole number, 1": lambda: model.predict("cat.jpg", batch_size="a"),
        "picture is ''; it must be a path": lambda: model.predict(""),
        "predict() got an unknown option 'foo'; expected top": lambda: model.predict("cat.jpg", foo=1),
    }
    for expected, call in calls.items():
        with pytest.raises(UsageError) as caught:
            call()
        assert str(caught.value).startswith(expected)


def test_a_path_in_place_of_a_model_is_told(tmp_path: Path) -> None:
    path: Any
    for path in ("runs/a/best", Path("runs/a/best")):
        for use in (
            lambda path: swinkit.evaluate(path, "data"),
            lambda path: swinkit.push(path, "me/it"),
            lambda path: swinkit.save(path, tmp_path / "model"),
        ):
            with pytest.raises(UsageError, match=r"^model is a path or name; give the model, ") as refused:
                use(path)
            assert str(refused.value).endswith(", swinkit.load('runs/a/best')")


def test_a_model_without_a_task_is_told_which_tasks_there_are() -> None:
    backbone: Any = swinkit.backbone("swin-pico")
    with pytest.raises(UsageError) as refused:
        swinkit.evaluate(backbone, "data")
    known = ", ".join(TASKS)
    assert str(refused.value) == f"model is a Swin, which has no task; give a model of a task ({known})"


def test_a_message_shows_little_of_a_wrong_argument() -> None:
    model: Any = swinkit.load()
    calls: list[Callable[[Any], object]] = [
        lambda wrong: swinkit.load(wrong),
        lambda wrong: swinkit.load("swin-pico", labels=wrong),
        lambda wrong: swinkit.load("swin-pico", precision=wrong),
        lambda wrong: swinkit.load("swin-pico", head=wrong),
        lambda wrong: swinkit.load("swin-pico", channels=wrong),
        lambda wrong: swinkit.backbone(wrong),
        lambda wrong: swinkit.checkpoints(wrong),
        lambda wrong: swinkit.convert(wrong, "out.pth", to="timm"),
        lambda wrong: swinkit.convert("swin-pico", wrong, to="timm"),
        lambda wrong: swinkit.convert("swin-pico", "out.pth", to=wrong),
        lambda wrong: swinkit.evaluate(wrong, "data"),
        lambda wrong: swinkit.evaluate(model, wrong),
        lambda wrong: swinkit.evaluate(model, "data", batch_size=wrong),
        lambda wrong: swinkit.train(wrong, "data", "out"),
        lambda wrong: swinkit.train("cifar10-swin-pico", wrong, "out"),
        lambda wrong: swinkit.save(wrong, "out"),
        lambda wrong: swinkit.push(wrong, "me/it"),
        lambda wrong: model.predict(wrong),
        lambda wrong: model.predict("cat.jpg", top=wrong),
        lambda wrong: model.predict("cat.jpg", batch_size=wrong),
    ]
    for wrong in (model.backbone, ["x"] * 2000, torch.zeros(900, 3)):
        for number, call in enumerate(calls):
            with pytest.raises((UsageError, DataError)) as refused:
                call(wrong)
            assert len(str(refused.value)) < 300, number

"""Loading: everything is accounted for, nothing is done halfway."""

import logging

import pytest
import torch
from torch import nn

from swinkit.data.imagenet import CLASSES_1K, MAPPABLE, rows_of_1k
from swinkit.errors import DataError, UsageError
from swinkit.models.build import build
from swinkit.weights.dialect import EMBED
from swinkit.weights.load import LoadReport, canonical, export_weights, load_weights

from ..models.small import Headed, pixels, small, spec
from .models import classifier, copy_of, pyramid


@pytest.mark.parametrize(
    ("family", "dialect"), [("v1", "microsoft"), ("v2", "torchvision"), ("video", "torchvision-3d")]
)
def test_a_model_answers_as_the_one_whose_weights_it_was_given(family: str, dialect: str):
    source, target = classifier(family), classifier(family)
    x = pixels(family)
    assert not torch.allclose(source(x), target(x))
    report = load_weights(target, export_weights(source, dialect))
    assert report.dialect == dialect
    assert torch.equal(source(x), target(x))


def test_a_bare_backbone_takes_a_classifiers_weights_and_reports_the_head_unused():
    source, target = classifier(), small()
    report = load_weights(target, export_weights(source, "timm"))
    x = pixels()
    assert torch.equal(target(x)[-1], source.backbone(x)[-1])
    assert set(report.unused) == {
        "head.norm.weight",
        "head.norm.bias",
        "head.classifier.weight",
        "head.classifier.bias",
    }


def test_a_pyramid_keeps_its_own_norms_only_if_allowed():
    source, target = classifier(), pyramid()
    before = copy_of(target.norms.state_dict())
    with pytest.raises(DataError, match=r"4 missing \(first: `norms.0.weight`"):
        load_weights(target, export_weights(source, "microsoft"))
    report = load_weights(target, export_weights(source, "microsoft"), head="new")
    assert set(report.reinitialised) == {f"norms.{name}" for name in before}
    assert all(torch.equal(tensor, before[name]) for name, tensor in target.norms.state_dict().items())


def test_another_number_of_classes_is_refused_unless_a_new_head_is_allowed():
    source, target = classifier(num_classes=7), classifier(num_classes=5)
    with pytest.raises(
        DataError, match=r"head.classifier.weight \(7, 24\) in the file, \(5, 24\).*"
    ) as caught:
        load_weights(target, canonical(source))
    assert "head='new'" in str(caught.value)
    report = load_weights(target, canonical(source), head="new")
    assert report.reinitialised == dict.fromkeys(
        ("head.classifier.weight", "head.classifier.bias"), "at zero: 7 classes in the file, 5 in the model"
    )
    assert not any(tensor.any() for tensor in target.head.classifier.state_dict().values())
    assert torch.equal(target.head.norm.weight, source.head.norm.weight)


def test_a_head_that_fits_is_loaded_though_a_new_one_is_allowed():
    source, target = classifier(), classifier()
    assert not load_weights(target, canonical(source), head="new").reinitialised
    assert torch.equal(target.head.classifier.weight, source.head.classifier.weight)


def missing(state: dict) -> dict:
    return {name: tensor for name, tensor in state.items() if name != "layers.1.blocks.0.mlp.fc1.bias"}


def unexpected(state: dict) -> dict:
    return state | {"layers.0.blocks.0.attn.extra": torch.zeros(3)}


def misshapen(state: dict) -> dict:
    return state | {"layers.0.blocks.0.mlp.fc1.bias": torch.zeros(3)}


def integers(state: dict) -> dict:
    return state | {"norm.bias": torch.zeros(24, dtype=torch.int64)}


def deeper(state: dict) -> dict:
    return state | {"layers.1.blocks.2.norm1.bias": torch.zeros(24)}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (missing, r"1 missing \(`backbone.stages.1.blocks.0.channel_mixer.fc1.bias`\)"),
        (unexpected, r"1 unexpected \(`layers.0.blocks.0.attn.extra`\)"),
        (
            misshapen,
            r"1 of other shapes \(`backbone.stages.0.*fc1.bias \(3,\) in the file, \(48,\) in the model`\)",
        ),
        (
            integers,
            r"1 of other shapes \(`head.norm.bias \(24,\) of torch.int64 in the file, \(24,\) in the model`",
        ),
        (deeper, r"1 unexpected \(`backbone.stages.1.blocks.2.norm1.bias`\)"),
    ],
)
def test_a_failure_names_the_tensors_and_leaves_the_model_untouched(damage, message: str):
    model = classifier()
    before = copy_of(model.state_dict())
    with pytest.raises(DataError, match=message) as caught:
        load_weights(model, damage(export_weights(classifier(), "microsoft")))
    assert "\n" not in str(caught.value)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_new_head_excuses_no_part_of_the_backbone():
    with pytest.raises(DataError, match=r"1 missing \(`backbone"):
        load_weights(classifier(), missing(export_weights(classifier(), "microsoft")), head="new")


def test_a_model_on_the_meta_device_is_filled():
    source = classifier("v2")
    with torch.device("meta"):
        target = Headed(build(spec("v2")))
    load_weights(target.eval(), export_weights(source, "torchvision"))
    assert not any(tensor.is_meta for tensor in target.state_dict().values())
    assert all(
        isinstance(parameter, nn.Parameter) and parameter.requires_grad for parameter in target.parameters()
    )
    x = pixels()
    assert torch.equal(target(x), source(x))


def test_a_classifier_on_the_meta_device_begins_at_zero_but_cannot_keep_an_initialisation():
    with torch.device("meta"):
        target = Headed(build(spec()), num_classes=9)
    with pytest.raises(UsageError, match=r"`head.norm.weight`.*meta device"):
        load_weights(target, canonical(classifier().backbone), head="new")
    assert all(tensor.is_meta for tensor in target.state_dict().values())
    load_weights(target, canonical(classifier()), head="new")
    assert target.head.classifier.weight.shape == (9, 24)
    assert not target.head.classifier.weight.any()


@pytest.mark.parametrize(("device", "expected"), [("cpu", torch.float32), ("meta", torch.float16)])
def test_weights_take_the_models_type_but_those_of_a_model_on_meta_keep_their_own(device, expected):
    with torch.device(device):
        model = Headed(build(spec()))
    halves = {name: tensor.half() for name, tensor in canonical(classifier()).items()}
    load_weights(model, halves)
    assert {tensor.dtype for tensor in model.state_dict().values()} == {expected}


def test_the_model_does_not_share_memory_with_the_file():
    state = canonical(classifier())
    model = classifier()
    load_weights(model, state)
    nn.init.zeros_(model.head.norm.bias)
    assert state["head.norm.bias"].abs().sum() > 0


def test_a_window_of_another_size_is_resized_and_told():
    report = load_weights(classifier(window_sizes=((6, 6),) * 2), export_weights(classifier(), "torchvision"))
    assert (
        report.resized["backbone.stages.0.blocks.0.token_mixer.bias.table"]
        == "from window (4, 4) to (6, 6), bicubic"
    )
    assert len(report.resized) == 4


def test_an_oblong_window_is_resized_where_the_file_keeps_its_index():
    source, target = classifier(window_sizes=((3, 5),) * 2), classifier(window_sizes=((5, 5),) * 2)
    report = load_weights(target, export_weights(source, "torchvision"))
    assert (
        report.resized["backbone.stages.1.blocks.1.token_mixer.bias.table"]
        == "from window (3, 5) to (5, 5), bicubic"
    )


def test_an_oblong_window_is_not_taken_for_its_transpose():
    source, target = classifier(window_sizes=((3, 5),) * 2), classifier(window_sizes=((5, 3),) * 2)
    report = load_weights(target, export_weights(source, "torchvision"))
    assert "from window (3, 5) to (5, 3), bicubic" in report.resized.values()


@pytest.mark.parametrize("dialect", ["swinkit", "torchvision-3d"])
def test_height_and_width_of_a_video_window_can_change_and_its_frames_cannot(dialect: str):
    state = export_weights(classifier("video"), dialect)
    report = load_weights(classifier("video", window_sizes=((4, 3, 3),) * 2), state)
    assert set(report.resized.values()) == {"from window (4, 4, 4) to (4, 3, 3), bicubic"}
    told = (
        r"cannot be resized from window \(4, 4, 4\)" if dialect == "torchvision-3d" else "4 of other shapes "
    )
    with pytest.raises((DataError, UsageError), match=told):
        load_weights(classifier("video", window_sizes=((3, 4, 4),) * 2), state)


def test_each_dialect_has_its_own_way_with_tables_and_the_caller_has_the_last_word():
    source, wider = classifier(), {"window_sizes": ((6, 6),) * 2}
    tables = {}
    for dialect, choice in (("torchvision", None), ("timm", None), ("timm", "bicubic")):
        target = classifier(**wider)
        report = load_weights(target, export_weights(source, dialect), tables=choice)
        way = choice or {"torchvision": "bicubic", "timm": "geometric"}[dialect]
        assert set(report.resized.values()) == {f"from window (4, 4) to (6, 6), {way}"}
        tables[dialect, choice] = target.backbone.stages[0].blocks[0].token_mixer.bias.table
    assert torch.equal(tables["torchvision", None], tables["timm", "bicubic"])
    assert not torch.allclose(tables["torchvision", None], tables["timm", None], atol=0.1)


@pytest.mark.parametrize(
    ("option", "known"),
    [
        ("head", "'same', 'new', 'mapped'"),
        ("tables", "'bicubic', 'geometric'"),
        ("channels", "'adapt'"),
    ],
)
def test_an_unknown_way_is_refused(option: str, known: str):
    with pytest.raises(UsageError, match=rf"{option} is 'other'; it must be one of .*{known}"):
        load_weights(classifier(), canonical(classifier()), **{option: "other"})


@pytest.mark.parametrize("classes", MAPPABLE)
def test_classes_of_imagenet_are_taken_from_among_the_larger_set(classes: int):
    sizes = {"embed_dim": 4, "num_heads": (2, 2)}
    source, target = (classifier(num_classes=number, **sizes) for number in (classes, CLASSES_1K))
    report = load_weights(target, canonical(source), head="mapped")
    assert set(report.mapped) == {"head.classifier.weight", "head.classifier.bias"}
    rows = list(rows_of_1k())
    x = pixels()
    torch.testing.assert_close(target(x), source(x)[:, rows])


@pytest.mark.parametrize("classes", [5, 7])
def test_a_class_map_is_refused_for_other_classes(classes: int):
    with pytest.raises(UsageError, match=f"the file has {classes} and the model 5"):
        load_weights(classifier(num_classes=5), canonical(classifier(num_classes=classes)), head="mapped")


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_input_channels_are_adapted_as_timm_does_if_asked(channels: int):
    from timm.models._manipulate import adapt_input_conv

    source, target = classifier(), classifier(in_channels=channels)
    state = canonical(source)
    if channels != 3:
        with pytest.raises(DataError, match="channels='adapt'"):
            load_weights(target, state)
    report = load_weights(target, state, channels="adapt")
    assert report.adapted == ({} if channels == 3 else {EMBED: f"from 3 input channels to {channels}"})
    torch.testing.assert_close(
        target.backbone.embed.proj.weight.detach(), adapt_input_conv(channels, state[EMBED])
    )


def test_parts_that_only_the_file_has_are_unused_whole():
    """As SimMIM's mask token and decoder for a classifier, or norms of other stages for a pyramid."""
    source, target = classifier(), pyramid()
    extra = {
        "mask_token": torch.zeros(12),
        "head.decoder.bias": torch.zeros(9),
        "norms.5.bias": torch.zeros(3),
    }
    assert set(load_weights(source, canonical(source) | extra).unused) == set(extra)
    extra.pop("head.decoder.bias")
    assert set(load_weights(target, canonical(target) | extra).unused) == set(extra)
    with pytest.raises(DataError, match=r"1 unexpected \(`norms.1.other`"):
        load_weights(target, canonical(target) | {"norms.1.other": torch.zeros(3)})


def test_the_dialect_can_be_named():
    with pytest.raises(DataError, match="no Swin in the names of timm"):
        load_weights(classifier(), export_weights(classifier(), "torchvision"), dialect="timm")
    with pytest.raises(UsageError, match="no dialect 'keras'"):
        load_weights(classifier(), canonical(classifier()), dialect="keras")


def test_wrapped_tensors_and_other_models_are_refused():
    with pytest.raises(DataError, match=r"not tensors: `model`.*read_state"):
        load_weights(classifier(), {"model": canonical(classifier())})
    with pytest.raises(UsageError, match="a Linear is no Swin"):
        load_weights(nn.Linear(2, 2), canonical(classifier()))


def test_numbers_that_are_not_finite_are_warned_of_in_one_line(caplog: pytest.LogCaptureFixture):
    state = export_weights(classifier(), "microsoft")
    state["norm.bias"] = torch.full_like(state["norm.bias"], torch.nan)
    load_weights(classifier(), state)
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == [
        "NaN or infinity in 1 tensors: `head.norm.bias`"
    ]


def test_the_whole_report_of_a_failure_is_logged(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO), pytest.raises(DataError):
        load_weights(classifier(), missing(export_weights(classifier(), "microsoft")))
    assert "  missing          1: `backbone" in caplog.text


def test_the_report_is_short_readable_and_logged(caplog: pytest.LogCaptureFixture):
    source = classifier(num_classes=7)
    with caplog.at_level(logging.INFO, logger="swinkit.weights.load"):
        report = load_weights(
            classifier(window_sizes=((6, 6),) * 2), export_weights(source, "torchvision"), head="new"
        )
    first, second = (f"backbone.stages.0.blocks.{j}.token_mixer.bias.table" for j in (0, 1))
    how = "from window (4, 4) to (6, 6), bicubic"
    assert str(report) == (
        "weights in the names of torchvision: 61 tensors loaded\n"
        "  renamed         63: `features.0.0.weight -> backbone.embed.proj.weight` and 62 more\n"
        "  rebuilt          4: `features.1.0.attn.relative_position_index` and 3 more\n"
        f"  resized          4: `{first} {how}`, `{second} {how}` and 2 more\n"
        "  reinitialised    2: "
        "`head.classifier.weight (at zero: 7 classes in the file, 5 in the model)`, "
        "`head.classifier.bias (at zero: 7 classes in the file, 5 in the model)`"
    )
    assert caplog.messages == [str(report)]


def test_a_report_without_events_is_one_line():
    assert str(LoadReport(dialect="swinkit", loaded=3)) == "weights in the names of swinkit: 3 tensors loaded"

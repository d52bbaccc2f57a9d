"""The runner over case folders: what holds, what must not, and what it says."""

import json
import math
import re
import shutil
from pathlib import Path

import pytest
import torch

from .__main__ import main
from .compare import ERROR, FAILED, NOT_COVERED, OK, check
from .write import changed, tampered

COVERED = {
    "resize_load_pretrained",
    "resize_load_pretrained_v2",
    "simmim_geo_resize",
    "map22kto1k",
    "head_mismatch_zero",
    "video_inflate",
    "swin_v1",
    "swin_v1_ape",
    "swin_v2",
    "swin_moe",
    "video_swin",
    "det_backbone",
    "timm_swin",
    "timm_swinv2",
    "tv_swin_v1",
    "tv_swin_v2",
    "swin_mlp",
    "timm_swinv2_cr",
    "hf_swin",
    "hf_swinv2",
    "hf_swin_mim",
    "hf_swinv2_mim",
    "simmim_v1",
    "simmim_v2",
    "simmim_mask_generator",
    "tv_swin3d",
    "lr_schedule",
    "optim_groups",
    "optim_groups_moe",
    "optim_groups_mm_det",
    "optim_groups_mm_seg",
    "optim_groups_mm_video",
}


@pytest.fixture(scope="module")
def golden(shared: Path) -> Path:
    """Return the reference answers."""
    return shared / "golden"


@pytest.fixture(scope="module")
def outcomes(golden: Path) -> dict:
    """One for each case."""
    return {folder.parent.name: check(folder.parent) for folder in sorted(golden.glob("*/case.json"))}


def test_every_covered_case_holds(outcomes):
    broken = {
        name: outcome.reasons for name, outcome in outcomes.items() if outcome.status not in (OK, NOT_COVERED)
    }
    assert broken == {}


def test_every_kind_of_this_release_is_there_and_compared(outcomes):
    """By the kind read from the case, which the folder's name agrees with."""
    held = {outcome.kind for outcome in outcomes.values() if outcome.status == OK}
    assert held == COVERED
    for name, outcome in outcomes.items():
        if outcome.status == OK:
            assert re.fullmatch(rf"{outcome.kind}_[a-z]", name)
            assert outcome.shares


def test_every_expected_tensor_is_compared(golden, outcomes):
    for name, outcome in outcomes.items():
        outputs = json.loads((golden / name / "case.json").read_text())["outputs"]
        if outcome.status == OK and outputs:  # the others keep theirs in a document of their own
            assert set(outcome.shares) == set(outputs)


def test_other_kinds_are_not_covered_and_never_passed(outcomes):
    others = {name for name, outcome in outcomes.items() if outcome.status == NOT_COVERED}
    assert {
        "mask_rcnn_a",
        "upernet_a",
        "hf_upernet_a",
    } <= others
    assert all(not outcomes[name].shares for name in others)


@pytest.mark.parametrize(
    "name", ["swin_v1_a", "swin_v2_a", "video_swin_a", "det_backbone_a", "timm_swinv2_a", "tv_swin3d_a"]
)
def test_one_changed_number_of_the_outputs_fails(golden, tmp_path, name):
    about = json.loads((golden / name / "case.json").read_text())
    output = list(about["outputs"])[-1]
    outcome = check(
        tampered(
            golden / name, tmp_path / name, "outputs", output, by=0.1 * about["outputs"][output]["absmax"]
        )
    )
    assert outcome.status == FAILED
    assert outcome.worst == output
    assert output in outcome.reasons[0]


@pytest.mark.parametrize(
    ("name", "weight"),
    [
        ("swin_v1_a", "layers.0.blocks.1.attn.relative_position_bias_table"),
        ("swin_v2_a", "layers.1.blocks.1.attn.logit_scale"),
        ("timm_swin_a", "layers.1.downsample.reduction.weight"),
    ],
)
def test_one_changed_number_of_the_weights_fails(golden, tmp_path, name, weight):
    assert check(tampered(golden / name, tmp_path / name, "weights", weight, by=0.5)).status == FAILED


def test_an_output_that_nobody_knows_fails(golden, tmp_path):
    folder = changed(
        golden / "swin_v1_a", tmp_path / "case", "outputs", lambda x: x.update({"stage9.out": torch.zeros(2)})
    )
    outcome = check(folder)
    assert (outcome.status, outcome.reasons) == (FAILED, ["stage9.out: an output unknown here"])


def test_an_output_of_another_shape_fails(golden, tmp_path):
    folder = changed(
        golden / "swin_v1_a", tmp_path / "case", "outputs", lambda x: x.update(logits=x["logits"][:1])
    )
    outcome = check(folder)
    assert (outcome.status, outcome.reasons) == (FAILED, ["logits: shape (2, 10), expected (1, 10)"])


def test_nan_where_a_number_is_expected_fails(golden, tmp_path):
    outcome = check(tampered(golden / "swin_v1_a", tmp_path / "case", "weights", "head.bias", by=math.nan))
    assert outcome.status == FAILED
    assert outcome.worst in ("logits", "ce_loss", "grad_image")


def test_a_weight_that_nobody_knows_is_an_error(golden, tmp_path):
    folder = changed(
        golden / "swin_v1_a",
        tmp_path / "case",
        "weights",
        lambda x: x.update({"layers.0.extra": torch.zeros(2)}),
    )
    outcome = check(folder)
    assert outcome.status == ERROR
    assert "layers.0.extra" in outcome.reasons[0]


def constructed(golden, tmp_path, **options):
    """Return a copy of a case with other options of the reference's constructor."""
    folder = shutil.copytree(golden / "swin_v1_a", tmp_path / "case", copy_function=shutil.copyfile)
    about = json.loads((folder / "case.json").read_text())
    about["constructor"] |= options
    (folder / "case.json").write_text(json.dumps(about))
    return folder


def test_a_table_that_would_have_to_be_resized_fails(golden, tmp_path):
    """The runner must ask for the windows that the reference had."""
    assert check(constructed(golden, tmp_path, window_size=8)).status in (FAILED, ERROR)


@pytest.mark.parametrize(
    "lost", ["case.json", "weights.safetensors", "inputs.safetensors", "outputs.safetensors"]
)
def test_a_case_that_lost_a_file_is_an_error_that_names_it(golden, tmp_path, capsys, lost):
    folder = tmp_path / "case"
    shutil.copytree(
        golden / "swin_v1_a", folder, ignore=shutil.ignore_patterns(lost), copy_function=shutil.copyfile
    )
    assert main([str(tmp_path)]) == 3
    assert lost in capsys.readouterr().out


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"reference_class": "SwinTransformer"}'])
def test_a_case_json_that_says_nothing_never_passes(tmp_path, content):
    (tmp_path / "case.json").write_text(content)
    assert check(tmp_path).status in (ERROR, NOT_COVERED)


def test_an_option_that_the_reference_does_not_have_is_an_error(golden, tmp_path):
    outcome = check(constructed(golden, tmp_path, rotary=True))
    assert outcome.status == ERROR
    assert "rotary" in outcome.reasons[0]


def test_without_suggestion_the_tolerance_follows_the_rule_then_the_general_one(golden):
    from .case import read

    case = read(golden / "swin_v1_a")
    suggested = case.about.pop("suggested_atol")
    for output, value in suggested.items():
        assert case.tolerance(output).item() == pytest.approx(value, rel=1e-5)
    del case.about["fp64_max_abs_diff"]
    assert case.tolerance("grad_image").item() == pytest.approx(
        1e-4 * case.outputs["grad_image"].abs().max().item()
    )
    assert case.tolerance("logits").min().item() >= 1e-4


def test_the_command_prints_a_line_for_each_case_and_says_by_its_code_whether_all_hold(
    golden, tmp_path, capsys
):
    tampered(golden / "tv_swin_v1_a", tmp_path / "broken", "outputs", "image0.logits", by=1.0)
    assert main([str(golden / "tv_swin_v1_a"), str(golden / "mask_rcnn_a")]) == 0
    held, uncovered = capsys.readouterr().out.splitlines()
    assert re.match(
        r"tv_swin_v1_a +tv_swin_v1 +ok +largest error [\d.e-]+ of its tolerance in image\d\.\S+; 16 outputs$",
        held,
    )
    assert re.match(r"mask_rcnn_a +MaskRCNN +not covered$", uncovered)
    assert main([str(tmp_path)]) == 1
    assert "FAILED" in capsys.readouterr().out
    assert main([str(tmp_path / "nothing")]) == 3


def test_the_command_speaks_json(golden, capsys):
    assert main(["--json", str(golden / "tv_swin_v1_a"), str(golden / "mask_rcnn_a")]) == 0
    held, uncovered = json.loads(capsys.readouterr().out)
    assert (held["case"], held["kind"], held["status"], held["ok"]) == (
        "tv_swin_v1_a",
        "tv_swin_v1",
        "ok",
        True,
    )
    assert held["outputs"][held["worst"]]["share"] < 1
    assert (uncovered["status"], uncovered["ok"], uncovered["worst"]) == ("not covered", False, None)

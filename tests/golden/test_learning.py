"""Cases of learning, changed: what must fail does, and what nobody published is not covered."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from swinkit.settings.schedule import learning_rate

from .compare import ERROR, FAILED, NOT_COVERED, OK, check
from .learning import schedule_of

Change = Callable[[dict[str, Any]], object]


def altered(case: Path, to: Path, file: str, change: Change) -> Path:
    """Return a copy of a case with one of its documents changed."""
    shutil.copytree(case, to)
    path = to / file
    path.parent.chmod(0o755)
    path.chmod(0o644)
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return to


@pytest.fixture
def golden(shared: Path) -> Path:
    """Return the reference answers."""
    return shared / "golden"


def first(groups: dict[str, Any]) -> dict[str, Any]:
    return groups[next(iter(groups))]


def slower(groups: dict[str, Any]) -> None:
    groups["simmim_finetune/swinv2"]["layers.1.downsample.norm.weight"]["lr"] *= 1.0001


def regrouped(groups: dict[str, Any]) -> None:
    groups["supervised/swin"]["norm.weight"]["group_index"] = 7


def undecayed(groups: dict[str, Any]) -> None:
    groups["decode_head.psp_modules.0.1.bn.weight"]["weight_decay"] = 0.0


def later(schedules: dict[str, Any]) -> None:
    schedules["multistep"]["config"]["LR_SCHEDULER"]["MULTISTEPS"] = [7, 9]


def unheard(about: dict[str, Any]) -> None:
    about["optimizer"]["paramwise_cfg"]["custom_keys"]["neck"] = {"lr_mult": 2.0}


@pytest.mark.parametrize(
    ("case", "file", "change", "status", "reason"),
    [
        ("optim_groups_a", "groups.json", slower, FAILED, "simmim_finetune/swinv2.lr"),
        ("optim_groups_a", "groups.json", regrouped, FAILED, "supervised/swin.grouping"),
        (
            "optim_groups_a",
            "groups.json",
            lambda groups: groups["supervised/swin_mlp"].pop("head.bias"),
            FAILED,
            "supervised/swin_mlp.lr",
        ),
        (
            "optim_groups_a",
            "groups.json",
            lambda groups: groups.update({"moby/swin": {}}),
            NOT_COVERED,
            "groups of moby/swin",
        ),
        (
            "optim_groups_moe_a",
            "groups.json",
            lambda groups: first(groups).update({"head.bias": None}),
            FAILED,
            "swin_moe_cosine.lr",
        ),
        ("optim_groups_mm_seg_a", "groups.json", undecayed, FAILED, "weight_decay"),
        (
            "optim_groups_mm_det_a",
            "groups.json",
            lambda groups: groups.update({"neck.norm.weight": {"lr": 1e-4, "weight_decay": 0.05}}),
            FAILED,
            "weight_decay",
        ),
        ("optim_groups_mm_video_a", "case.json", unheard, NOT_COVERED, "the exceptions"),
        ("lr_schedule_a", "schedules.json", later, FAILED, "multistep.group0"),
        ("lr_schedule_a", "schedules.json", lambda schedules: schedules.clear(), ERROR, "no JSON object"),
    ],
)
def test_a_changed_case_is_told(golden, tmp_path, case, file, change, status, reason):
    outcome = check(altered(golden / case, tmp_path / case, file, change))
    assert outcome.status == status
    assert any(reason in said for said in outcome.reasons)


def test_groups_of_other_peaks_and_other_warmups_are_read_from_the_case(golden, tmp_path):
    """A quarter of the rates, warmed up from 0, follows from the published numbers."""

    def rewritten(schedules: dict[str, Any]) -> None:
        rates = [row[0] for row in schedules["multistep"]["after_step_update"]]
        kept = schedules["multistep"] | {
            "group_lr_scales": [1.0, 0.25],
            "after_step_update": [[rate, rate / 4] for rate in rates],
            "initial": [0.0, 0.0],
        }
        kept["config"]["WARMUP_LR"] = 0.0
        for step in range(14):
            peak = 5e-4 * step / 14
            kept["after_step_update"][step] = [peak, peak / 4]
        schedules.clear()
        schedules["two groups"] = kept

    outcome = check(altered(golden / "lr_schedule_a", tmp_path / "case", "schedules.json", rewritten))
    assert (outcome.status, len(outcome.shares)) == (OK, 2)


def test_a_parameter_of_any_name_in_a_head_decays_as_mmcv_has_it(golden, tmp_path):
    def scaled(groups: dict[str, Any]) -> None:
        groups["bbox_head.scales.0.scale"] = {"lr": 1e-4, "weight_decay": 0.05}
        groups["bbox_head.norm.weight"] = {"lr": 1e-4, "weight_decay": 0.0}

    case = altered(golden / "optim_groups_mm_det_a", tmp_path / "case", "groups.json", scaled)
    assert check(case).status == OK


def test_parts_without_a_module_of_ours_are_named_in_the_answer(golden):
    assert check(golden / "optim_groups_mm_det_a").reasons == [
        "42 of 129 parameters, of neck and heads, on stand-ins of their types"
    ]
    assert check(golden / "optim_groups_mm_video_a").reasons == []


def test_microsofts_steps_have_the_rate_of_the_step_before(golden):
    """Its scheduler is told the number of a step after that step; ours is asked before."""
    case = json.loads((golden / "lr_schedule_a" / "case.json").read_text())
    entry = json.loads((golden / "lr_schedule_a" / "schedules.json").read_text())["cosine_warmup_prefix"]
    schedule = schedule_of(entry["config"], prefix=True)
    theirs = [row[0] for row in [entry["initial"], *entry["after_step_update"]]]
    ours = [learning_rate(step, case["n_iter_per_epoch"], case["base_lr"], schedule) for step in range(70)]
    assert theirs[0] == ours[0]
    assert theirs[1:71] == pytest.approx(ours)

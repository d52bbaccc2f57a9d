"""The twin of Microsoft's Swin-MoE."""

import json
from dataclasses import replace

import pytest
import torch

from swinkit.core.moe.dispatch import DispatchPolicy, dispatch
from swinkit.models.families import SpecMoE
from tests.golden.compare import FAILED, NOT_COVERED, OK, check
from tests.golden.microsoft_moe import moe, settled
from tests.golden.write import tampered

CASE = "golden/swin_moe_a"


def test_options_left_out_have_the_constructors_defaults_and_none_of_ours():
    spec = moe({"embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4]}).backbone.spec
    assert isinstance(spec, SpecMoE)
    assert spec.moe_blocks == ((), ())
    assert (spec.num_experts, spec.top_k, spec.balance, spec.mlp_output_bias) == (1, 1, "gshard", True)


@pytest.mark.parametrize(
    ("option", "value", "field", "expected"),
    [
        ("moe_blocks", [[0], [-1], [7]], "moe_blocks", ((0,), ())),
        ("top_value", 9, "top_k", 4),  # no more than there are
        ("is_gshard_loss", False, "balance", "load-importance"),
        ("use_bpr", False, "batch_prioritised", False),
        ("normalize_gate", True, "normalise_gates", True),
        ("cosine_router", True, "router", "cosine"),
        ("mlp_fc2_bias", False, "mlp_output_bias", False),
        ("mlp_fc2_bias", False, "has_expert_bias", True),
        ("moe_drop", 0.1, "expert_dropout", 0.1),
        ("capacity_factor", -2.0, "capacity_factor", -2.0),
        ("pretrained_window_sizes", [3, 0], "reference_windows", ((3, 3), (7, 7))),
    ],
)
def test_every_option_is_read(option, value, field, expected):
    options = {
        "img_size": 224,
        "embed_dim": 16,
        "depths": [2, 2],
        "num_heads": [2, 4],
        "num_local_experts": 4,
    }
    assert getattr(moe({**options, option: value}).backbone.spec, field) == expected


@pytest.mark.parametrize(
    ("name", "by"), [("stage1.block1.expert_index", 1), ("stage1.block1.location", 1), ("aux_loss", 0.01)]
)
def test_what_routers_decide_is_compared_exactly_and_their_losses_too(shared, tmp_path, name, by):
    assert check(shared / CASE).status == OK
    outcome = check(tampered(shared / CASE, tmp_path / "case", "outputs", name, by))
    assert outcome.status == FAILED
    assert [reason.split(":")[0] for reason in outcome.reasons] == [name]


def test_tokens_that_rounding_alone_tells_apart_may_be_served_in_any_order():
    """But not across the capacity, where one of them would be dropped instead of the other."""
    scores = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.8 + 1e-7, 0.2], [0.6, 0.4]])
    plan = dispatch(scores, DispatchPolicy(top_k=1, capacity_factor=1.5))
    sureness, ours = scores.amax(1), [0, 2, 1, 3]
    assert (plan.turn.flatten().tolist(), plan.capacity) == (ours, 3)
    for theirs, right in (([0, 1, 2, 3], True), ([1, 2, 0, 3], False), ([0, 2, 1, 5], False)):
        assert settled(plan, sureness, torch.tensor(theirs)[:, None]).flatten().tolist() == (
            theirs if right else ours
        )
    at_the_border = replace(plan, capacity=2)
    assert settled(at_the_border, sureness, torch.tensor([0, 1, 2, 3])[:, None]).flatten().tolist() == ours


def test_noise_of_training_is_not_covered(shared, tmp_path):
    case = tampered(shared / CASE, tmp_path / "case", "outputs", "aux_loss", 0)
    about = json.loads((case / "case.json").read_text(encoding="utf-8"))
    about["constructor"]["drop_path_rate"] = 0.0
    (case / "case.json").write_text(json.dumps({**about, "mode": "train"}), encoding="utf-8")
    outcome = check(case)
    assert (outcome.status, outcome.reasons) == (NOT_COVERED, ["training mode with random dropouts or noise"])

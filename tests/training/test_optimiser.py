"""Weight decay and layer-wise rates, from the structure of the model; each published code's way by its name.

The published codes' own groups are the golden cases `optim_groups_*`.
"""

from typing import get_args

import pytest
import torch
from torch import nn

from swinkit.core.spec import Spec
from swinkit.errors import UsageError
from swinkit.heads.pyramid import Pyramid
from swinkit.models.build import build
from swinkit.models.catalogue import find_variant
from swinkit.models.families import SpecMLP, SpecMoE, SpecV2
from swinkit.recipes.catalogue import RECIPES
from swinkit.settings.optimiser import Optimiser, Rule
from swinkit.tasks.simmim.model import SimMIM
from swinkit.training.parallelize import clip_gradient
from swinkit.training.param_groups import optimiser_of, parameter_groups
from tests.models.small import Headed

ONE = {"embed_dim": 8, "depths": (1,), "num_heads": (2,), "window_sizes": ((2, 2),)}
V1 = Spec(embed_dim=8, depths=(1, 1), num_heads=(2, 2), window_sizes=((2, 2),) * 2, absolute_grid=(4, 4))
BLOCK = "stages.blocks."


def undecayed(spec: Spec) -> set[str]:
    """Names of the parameters without decay, block numbers left out."""
    return undecayed_of(build(spec), "paper")


def undecayed_of(model: nn.Module, rule: Rule) -> set[str]:
    groups = parameter_groups(model, Optimiser(weight_decay=0.1, rule=rule))
    free = {id(p) for group in groups if group["weight_decay"] == 0 for p in group["params"]}
    return {
        ".".join(word for word in name.split(".") if not word.isdigit())
        for name, p in model.named_parameters()
        if id(p) in free
    }


def rates(model: nn.Module, **settings: object) -> dict[str, float]:
    """Return the rate of each parameter, for one of 1."""
    groups = parameter_groups(model, Optimiser(lr=1.0, **settings))
    found = {id(p): group["lr"] for group in groups for p in group["params"]}
    return {name: found[id(p)] for name, p in model.named_parameters()}


def test_v1_decays_matrices_only() -> None:
    assert undecayed(V1) == {
        "position.embedding",
        "embed.proj.bias",
        "embed.norm.weight",
        "embed.norm.bias",
        "stages.blocks.norm1.weight",
        "stages.blocks.norm1.bias",
        "stages.blocks.token_mixer.qkv.bias",
        "stages.blocks.token_mixer.bias.table",
        "stages.blocks.token_mixer.proj.bias",
        "stages.blocks.norm2.weight",
        "stages.blocks.norm2.bias",
        "stages.blocks.channel_mixer.fc1.bias",
        "stages.blocks.channel_mixer.fc2.bias",
        "stages.merge.norm.weight",
        "stages.merge.norm.bias",
    }


def test_v2_frees_the_bias_mlp_and_the_temperature_too() -> None:
    free = undecayed(SpecV2(**ONE))
    assert {
        "stages.blocks.token_mixer.bias.mlp.weight",
        "stages.blocks.token_mixer.bias.mlp.bias",
        "stages.blocks.token_mixer.similarity.log_scale",
        "stages.blocks.token_mixer.qkv.q_bias",
        "stages.blocks.token_mixer.qkv.v_bias",
    } <= free
    assert "stages.blocks.token_mixer.qkv.weight" not in free


def test_biases_of_heads_and_experts_are_free_though_they_are_matrices() -> None:
    numbers = {"embed_dim": 8, "depths": (2,), "num_heads": (2,), "window_sizes": ((2, 2),)}
    mixing = undecayed(SpecMLP(**numbers))
    assert "stages.blocks.token_mixer.bias" in mixing
    assert "stages.blocks.token_mixer.weight" not in mixing
    routed = undecayed(SpecMoE(**numbers, moe_blocks=((1,),)))
    experts = "stages.blocks.channel_mixer.experts."
    assert {f"{experts}fc1_bias", f"{experts}fc2_bias"} <= routed
    assert not {f"{experts}fc1", f"{experts}fc2", "stages.blocks.channel_mixer.router.gate.weight"} & routed


def test_a_cosine_router_is_free_as_the_temperatures_are() -> None:
    free = undecayed(SpecMoE(**ONE, moe_blocks=((0,),), router="cosine"))
    router = "stages.blocks.channel_mixer.router."
    assert {f"{router}{part}" for part in ("keys", "log_scale", "proj.weight", "proj.bias")} <= free


def test_simmim_pretraining_decays_what_tells_positions_but_no_vector_and_no_absolute_position() -> None:
    v1, v2 = SimMIM(build(V1)), SimMIM(build(SpecV2(**ONE)))
    lost = undecayed_of(v1, "paper") - undecayed_of(v1, "simmim-pretrain")
    assert lost == {f"backbone.{BLOCK}token_mixer.bias.table"}
    assert {"mask_token", "backbone.position.embedding"} <= undecayed_of(v1, "simmim-pretrain")
    lost = undecayed_of(v2, "paper") - undecayed_of(v2, "simmim-pretrain")
    mixer = f"backbone.{BLOCK}token_mixer."
    assert lost == {f"{mixer}bias.mlp.weight", f"{mixer}similarity.log_scale"}


def test_openmmlab_decays_biases_and_batch_norms_and_frees_layer_norms_tables_and_positions() -> None:
    model = nn.Sequential(Pyramid(build(V1), [0, 1]), nn.BatchNorm2d(3))
    free = undecayed_of(model, "openmmlab")
    assert {name.split(".")[-1] for name in free} == {"weight", "bias", "table", "embedding"}
    assert all("norm" in name for name in free if name.endswith(("weight", "bias")))
    assert not {name for name in free if name.startswith("1.")}


def test_video_slows_the_backbone_but_its_tables_and_decays_its_norms() -> None:
    model = Headed(build(V1))
    rate = rates(model, rule="video")
    whole = {name for name, value in rate.items() if value == 1.0}
    tables = {name for name in rate if name.endswith(".table")}
    assert whole == {*tables, "backbone.position.embedding", "head.classifier.weight", "head.classifier.bias"}
    assert {value for name, value in rate.items() if name not in whole} == {0.1}
    assert undecayed_of(model, "video") == {
        f"backbone.{BLOCK}token_mixer.bias.table",
        "backbone.position.embedding",
    }


def test_layer_decay_slows_each_block_against_the_next_and_a_merge_as_its_last_block() -> None:
    rate = rates(Headed(build(V1)), layer_decay=0.5)
    assert {name: rate[name] for name in rate if name.endswith("proj.weight")} == {
        "backbone.embed.proj.weight": 0.125,
        "backbone.stages.0.blocks.0.token_mixer.proj.weight": 0.25,
        "backbone.stages.1.blocks.0.token_mixer.proj.weight": 0.5,
    }
    assert rate["backbone.stages.0.merge.reduction.weight"] == 0.25
    assert rate["head.norm.weight"] == rate["head.classifier.bias"] == 1.0
    assert rates(SimMIM(build(V1)), layer_decay=0.5)["mask_token"] == 0.125


def test_absolute_positions_learn_as_the_patches_but_by_microsofts_code_as_the_head() -> None:
    name = "backbone.position.embedding"
    assert rates(Headed(build(V1)), layer_decay=0.5)[name] == 0.125
    assert rates(Headed(build(V1)), layer_decay=0.5, rule="microsoft")[name] == 1.0


@pytest.mark.parametrize("variant", sorted({entry().variant for entry in RECIPES.values()}))
def test_no_recipes_model_tells_the_papers_rule_from_microsofts(variant: str) -> None:
    with torch.device("meta"):
        model = Headed(build(find_variant(variant)[1].spec))
    names = {parameter: name for name, parameter in model.named_parameters()}
    paper, microsoft = (
        [
            (group["weight_decay"], group["lr"], [names[p] for p in group["params"]])
            for group in parameter_groups(model, Optimiser(rule=rule, layer_decay=0.9))
        ]
        for rule in ("paper", "microsoft")
    )
    assert paper == microsoft


@pytest.mark.parametrize("rule", get_args(Rule))
def test_every_trained_parameter_is_in_one_group(rule: Rule) -> None:
    model = Headed(build(SpecMoE(**ONE, moe_blocks=((0,),))))
    model.head.classifier.bias.requires_grad_(False)
    groups = parameter_groups(model, Optimiser(weight_decay=0.1, rule=rule, layer_decay=0.9))
    grouped = [id(p) for group in groups for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in model.parameters() if p.requires_grad)
    assert len(groups) == len({(group["weight_decay"], group["lr"]) for group in groups})


def test_a_model_without_a_swin_is_grouped_too() -> None:
    groups = parameter_groups(nn.Linear(2, 3), Optimiser(lr=0.5, weight_decay=0.1))
    assert [(group["weight_decay"], group["lr"]) for group in groups] == [(0.1, 0.5), (0.0, 0.5)]


def test_adamw_takes_all_settings_of_the_recipe() -> None:
    made = optimiser_of(Headed(build(V1)), Optimiser(lr=0.5, betas=(0.8, 0.95), eps=1e-6, layer_decay=0.5))
    assert {(group["betas"], group["eps"]) for group in made.param_groups} == {((0.8, 0.95), 1e-6)}
    assert {group["lr"] for group in made.param_groups} == {0.0625, 0.125, 0.25, 0.5}
    assert all(isinstance(p, torch.Tensor) for group in made.param_groups for p in group["params"])


def test_what_another_librarys_model_exempts_does_not_decay() -> None:
    class Theirs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.weight = (nn.Parameter(torch.zeros(2, 2)) for _ in range(2))

        def no_weight_decay(self) -> set[str]:
            return {"table", "absolute_pos_embed"}  # as Microsoft's names what some models have not

    assert undecayed_of(nn.Sequential(Theirs()), "paper") == {"table"}


def test_a_gradient_is_shortened_only_where_a_norm_is_given() -> None:
    weight = nn.Parameter(torch.zeros(2))
    weight.grad = torch.tensor([3.0, 4.0])
    assert clip_gradient([weight], None) == 5.0
    assert weight.grad.tolist() == [3.0, 4.0]
    assert clip_gradient([weight], 1.0) == 5.0
    assert weight.grad.norm() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lr": -1.0}, "optimiser.lr is -1.0; it must be above 0"),
        ({"eps": 0.0}, "optimiser.eps is 0.0; it must be above 0"),
        ({"layer_decay": 1.5}, "optimiser.layer_decay is 1.5; it must be above 0 and at most 1"),
        ({"rule": "papers"}, "optimiser.rule is 'papers'; it must be one of paper, microsoft"),
        ({"clip_norm": 0.0}, "optimiser.clip_norm"),
        ({"betas": (0.9, 1.0)}, "optimiser.betas"),
        ({"weight_decay": -0.1}, "optimiser.weight_decay"),
    ],
)
def test_impossible_settings_are_refused(change: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Optimiser(**change)

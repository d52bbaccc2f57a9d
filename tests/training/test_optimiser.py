"""Weight decay, from the structure of the model."""

import torch

from swinkit.core.spec import Spec
from swinkit.models.build import build
from swinkit.models.families import SpecMLP, SpecMoE, SpecV2
from swinkit.training.optimiser import parameter_groups


def undecayed(spec: Spec) -> set[str]:
    """Names of the parameters without decay, block numbers left out."""
    model = build(spec)
    free = {id(p) for p in parameter_groups(model, 0.1)[1]["params"]}
    return {
        ".".join(word for word in name.split(".") if not word.isdigit())
        for name, p in model.named_parameters()
        if id(p) in free
    }


def test_v1_decays_matrices_only() -> None:
    spec = Spec(
        embed_dim=8, depths=(1, 1), num_heads=(2, 2), window_sizes=((2, 2),) * 2, absolute_grid=(4, 4)
    )
    assert undecayed(spec) == {
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
    free = undecayed(SpecV2(embed_dim=8, depths=(1,), num_heads=(2,), window_sizes=((2, 2),)))
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
    numbers = {"embed_dim": 8, "depths": (1,), "num_heads": (2,), "window_sizes": ((2, 2),)}
    free = undecayed(SpecMoE(**numbers, moe_blocks=((0,),), router="cosine"))
    router = "stages.blocks.channel_mixer.router."
    assert {f"{router}{part}" for part in ("keys", "log_scale", "proj.weight", "proj.bias")} <= free


def test_every_parameter_is_in_one_group() -> None:
    model = build(Spec(embed_dim=8, depths=(2,), num_heads=(2,), window_sizes=((2, 2),)))
    groups = parameter_groups(model, 0.1)
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))
    assert {group["weight_decay"] for group in groups} == {0.1, 0.0}
    assert all(isinstance(p, torch.Tensor) for group in groups for p in group["params"])

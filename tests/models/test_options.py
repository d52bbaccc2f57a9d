"""Every number of a Spec does what it says."""

import re

import pytest
import torch
from torch import nn

from swinkit.core.spec import Spec, block_specs

from .small import PIXELS, pixels, small, spec


def named(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the shape of every parameter."""
    return {name: tuple(p.shape) for name, p in model.named_parameters()}


@pytest.mark.parametrize("family", ["v1", "v2"])
def test_without_qkv_bias_there_is_none(family):
    with_bias, without = named(small(family)), named(small(family, qkv_bias=False))
    gone = {name.rpartition("qkv.")[2] for name in set(with_bias) - set(without)}
    assert gone == ({"bias"} if family == "v1" else {"q_bias", "v_bias"})
    assert set(without) < set(with_bias)


def test_without_patch_norm_there_is_none():
    assert set(named(small())) - set(named(small(patch_norm=False))) == {
        "embed.norm.weight",
        "embed.norm.bias",
    }


def test_qk_scale_changes_the_scores_and_the_default_is_the_head_width():
    default = small()
    x, weights = pixels(), default.state_dict()
    same, other = small(qk_scale=6**-0.5), small(qk_scale=0.9)
    same.load_state_dict(weights)
    other.load_state_dict(weights)
    assert all(
        torch.equal(a, b) for a, b in zip(default(x)[:1], same(x)[:1], strict=True)
    )  # 12 channels, 2 heads
    assert not torch.allclose(default(x)[0], other(x)[0], atol=1e-3)


def test_mlp_ratio_sets_the_hidden_width():
    assert named(small(mlp_ratio=2.5))["stages.0.blocks.0.channel_mixer.fc1.weight"] == (30, 12)


@pytest.mark.parametrize("family", ["v1", "v2"])
def test_any_number_of_channels(family):
    model = small(family, in_channels=5)
    assert model.embed.proj.weight.shape == (12, 5, 4, 4)
    assert model(pixels(channels=5))[0].isfinite().all()


def test_depths_may_be_unequal():
    assert [len(stage.blocks) for stage in small(depths=(1, 3)).stages] == [1, 3]


def test_windows_may_be_rectangular_and_differ_by_stage():
    model = small(window_sizes=((2, 6), (3, 5)))
    assert model.stages[0].blocks[1].token_mixer.bias.table.shape == (3 * 11, 2)
    assert model.stages[1].blocks[0].token_mixer.bias.table.shape == (5 * 9, 4)
    assert model.stages[0].blocks[1].token_mixer.shift == (1, 3)
    assert all(feature.isfinite().all() for feature in model(pixels()))


def test_an_absolute_embedding_moves_every_feature_and_keeps_its_grid():
    model = small(absolute_grid=(6, 9))
    x = pixels()
    before = model(x)[0]
    nn.init.zeros_(model.position.embedding)
    assert model.position.embedding.shape == (6, 9, 12)
    assert not torch.allclose(before, model(x)[0], atol=1e-3)


def test_the_absolute_embedding_is_added_after_the_patch_norm():
    model = small(absolute_grid=(16, 21))
    x = pixels()
    patches = model.embed(x)
    expected = model.encode(patches)
    nn.init.zeros_(model.position.embedding)
    assert torch.equal(model.embed(x), patches)
    assert not torch.allclose(model.encode(patches)[0], expected[0])


def test_rates_reach_every_part():
    model = small(dropout=0.1, attention_dropout=0.2, drop_path=0.3)
    blocks = [block for stage in model.stages for block in stage.blocks]
    assert {block.token_mixer.attention_dropout for block in blocks} == {0.2}
    assert {module.p for module in model.modules() if isinstance(module, nn.Dropout)} == {0.1}
    assert [block.drop_path.rate for block in blocks] == pytest.approx([0.0, 0.1, 0.2, 0.3])


def test_dropout_acts_on_the_patches_too():
    """The official `pos_drop`: after the absolute embedding, before the first block."""
    model, seen = small(dropout=0.5, absolute_grid=(6, 9)).train(), []
    model.stages[0].blocks[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model(pixels())
    assert (seen[0] == 0).float().mean().item() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("rate", ["dropout", "attention_dropout", "drop_path"])
def test_each_rate_by_itself_makes_training_random(rate):
    model, x = small(**{rate: 0.5}).train(), pixels()
    assert not torch.equal(model(x)[-1], model(x)[-1])


def test_the_pretraining_window_changes_the_bias_and_no_shape():
    own, grown = small("v2"), small("v2", pretrained_window_sizes=((2, 2), (3, 3)))
    grown.load_state_dict(own.state_dict())
    x = pixels()
    assert named(own) == named(grown)
    assert not torch.allclose(own(x)[0], grown(x)[0], atol=1e-3)


@pytest.mark.parametrize("border", ["square", "pad", "pad-unshifted", "roll-first"])
def test_the_border_policy_acts_on_oblong_inputs_that_need_padding(border):
    x = pixels(size=(12, 52))  # grids 3x13 and 2x7
    clip, other = small(), small(border=border)
    other.load_state_dict(clip.state_dict())
    assert not torch.allclose(clip(x)[0], other(x)[0], atol=1e-4)


@pytest.mark.parametrize("family", PIXELS)
def test_gradients_reach_every_parameter(family):
    model = small(family, **({"absolute_grid": (6, 9)} if family == "v2" else {}))
    sum(feature.square().sum() for feature in model(pixels(family))).backward()
    untouched = [name for name, p in model.named_parameters() if p.grad is None or p.grad.abs().max() == 0]
    assert untouched == []


@pytest.mark.parametrize("family", ["mlp", "v2-cr", "moe"])
@pytest.mark.parametrize("size", [(75,), (9, 22, 30)])
def test_every_family_has_any_number_of_axes(family, size):
    axes = len(size)
    model = small(family, patch=(2,) * axes, merge=(2,) * axes, window_sizes=((3,) * axes,) * 2)
    features = model(pixels(size=size))
    grids = [tuple(-(-side // stride) for side in size) for stride in (2, 4)]
    assert [tuple(feature.shape[1:-1]) for feature in features] == grids
    assert all(feature.isfinite().all() for feature in features)


@pytest.mark.parametrize("shape", [(2, 4, 32, 32), (2, 3, 8, 32, 32), (3, 32)])
def test_wrong_channels_or_axes_are_explained(shape):
    with pytest.raises(
        ValueError, match=r"expected pixels of shape \(batch, 3 channels, 2 axes of pixels\), got"
    ):
        small()(torch.zeros(shape))


@pytest.mark.parametrize(
    ("axes", "shape", "advice"),
    [
        (2, (1, 4, 32, 32), "build the model with in_channels=4 for other channels"),
        (2, (1, 32, 32, 3), r"the channels come second, by pixels.movedim\(-1, 1\)"),
        (2, (3, 32, 32), r"add the axis of the batch, by pixels\[None\]"),
        (2, (1, 3, 8, 32, 32), "the model takes pictures: height and width"),
        (3, (1, 3, 32, 32), "the model takes clips or volumes: frames, height and width"),
        (3, (3, 8, 32, 32), r"add the axis of the batch, by pixels\[None\]"),
        (3, (1, 8, 32, 32, 3), r"the channels come second, by pixels.movedim\(-1, 1\)"),
        (3, (1, 4, 8, 32, 32), "build the model with in_channels=4 for other channels"),
    ],
)
def test_the_advice_on_a_shape_is_about_what_is_wrong_with_it(axes, shape, advice):
    sides = {"patch": (2,) * axes, "merge": (2,) * axes, "window_sizes": ((3,) * axes,) * 2}
    with pytest.raises(ValueError, match=f"; {advice}$"):
        small(**sides)(torch.zeros(shape))


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        (torch.uint8, "normalise them, or at least convert them by pixels.to(torch.float32)"),
        (torch.float64, "convert them by pixels.to(torch.float32)"),
    ],
)
def test_pixels_of_another_type_than_the_weights_are_explained(given, advice):
    message = f"expected pixels of torch.float32, as the weights are, got {given}; {advice}"
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        small()(torch.zeros(1, 3, 32, 32, dtype=given))


def test_other_failures_of_the_embedding_are_not_explained_by_the_type():
    model = small()
    model.embed.register_forward_pre_hook(lambda *_: torch.zeros(2) @ torch.zeros(3))
    with pytest.raises(RuntimeError, match="inconsistent tensor size"):
        model(torch.zeros(1, 3, 32, 32))


def test_an_unknown_border_or_slice_is_refused():
    for change in ({"border": "mirror"}, {"clipped_bias": "last"}):
        with pytest.raises(ValueError, match=r"is unknown \(known: "):
            spec(**change)


@pytest.mark.parametrize(
    ("depths", "changes", "expected"),
    [
        ((2, 7), {}, []),
        ((2, 7), {"norm_every": 3}, [(1, 2), (1, 5)]),
        ((4, 2), {"norm_every": 2}, [(0, 1), (0, 3), (1, 1)]),
    ],
)
def test_v2_norms_its_main_branch_after_every_so_many_blocks_of_a_stage(depths, changes, expected):
    assert main_norms(small("v2", depths=depths, **changes)) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"norm_stages": False}, []),
        ({}, [(0, 3)]),
        ({"norm_every": 2}, [(0, 1), (0, 3), (1, 1), (1, 3)]),
        ({"norm_stages": False, "norm_every": 3}, [(0, 2), (1, 2)]),
    ],
)
def test_the_last_norm_of_a_v2_cr_is_the_heads(changes, expected):
    assert main_norms(small("v2-cr", depths=(4, 6), **changes)) == expected


def main_norms(model: nn.Module) -> list[tuple[int, int]]:
    """Stage and index of each block with a norm on the main branch."""
    names = [name.split(".") for name in named(model) if name.endswith("main_norm.weight")]
    return [(int(stage), int(index)) for _, stage, _, index, *_ in names]


@pytest.mark.parametrize(
    ("family", "change", "message"),
    [
        ("mlp", {"border": "pad"}, "keeps its windows, so it has clip, square"),
        ("mlp", {"attention_dropout": 0.1}, "a Swin-MLP has no such part"),
        ("v2-cr", {"qkv_bias": False}, "a V2-CR has no such part"),
        ("v2-cr", {"patch_norm": False}, "a V2-CR has no such part"),
        ("v2", {"norm_every": 0}, "norm_every is 0; it must be 1 or more, or None"),
        ("v1", {"initial_std": 0.0}, r"initial_std is 0\.0; it must be above 0, or None"),
    ],
)
def test_what_a_family_cannot_be_is_refused(family, change, message):
    with pytest.raises(ValueError, match=message):
        spec(family, **change)


def test_large_windows_take_the_fused_kernel_and_agree_with_the_plain_one(monkeypatch):
    from swinkit.core import kernels

    model, x = small(window_sizes=((12, 12), (12, 12))), pixels()
    fused = model(x)
    monkeypatch.setattr(kernels, "FUSED_FROM", 10**6)
    for a, b in zip(fused, model(x), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_places_know_where_they_stand():
    rows = block_specs(
        Spec(embed_dim=8, depths=(2, 1), num_heads=(2, 4), window_sizes=((4, 4), (2, 2)), mlp_ratio=3.0)
    )
    assert [(p.stage, p.index, p.dim, p.num_heads, p.hidden, p.window) for row in rows for p in row] == [
        (0, 0, 8, 2, 24, (4, 4)),
        (0, 1, 8, 2, 24, (4, 4)),
        (1, 0, 16, 4, 48, (2, 2)),
    ]

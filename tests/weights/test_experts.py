"""Swin-MoE in Microsoft's names: the experts as Tutel stores them, now and when files were published."""

import pytest
import torch

from swinkit.errors import DataError, UsageError
from swinkit.models.families import SpecMoE
from swinkit.weights.dialect_table import detect
from swinkit.weights.infer import infer
from swinkit.weights.load import export_weights, load_weights

from .models import classifier, copy_of

LAYER = "layers.1.blocks.1.mlp._moe_layer"
BIAS = f"{LAYER}.experts.batched_fc2_bias"
HALF = {"moe_blocks": ((), (1,))}


def file_of(**changes):
    """Return a random model, and its state in Microsoft's names."""
    model = classifier("moe", **{**HALF, **changes})
    return model, copy_of(export_weights(model, "microsoft"))


def read(state):
    reading = detect(state).read(state)
    assert reading.unexplained == reading.unused == ()
    return reading


def test_names_and_layouts_are_those_of_tutel():
    model, state = file_of(num_experts=3)
    mixer = model.backbone.stages[1].blocks[1].channel_mixer
    assert torch.equal(state[f"{LAYER}.gates.0.wg.weight"], mixer.router.gate.weight)
    assert torch.equal(state[f"{LAYER}.experts.batched_fc2_w"], mixer.experts.fc2)
    assert state[f"{LAYER}.experts.batched_fc1_w"].shape == (3, 96, 24)
    assert state[f"{LAYER}._num_global_experts"].item() == 3
    _, state = file_of(router="cosine", router_dim=7)
    router = f"{LAYER}.gates.0"
    assert state[f"{router}.sim_matrix"].shape == (7, 3)
    assert state[f"{router}.temperature"].shape == (1,)
    assert state[f"{router}.cosine_projector.weight"].shape == (7, 24)


@pytest.mark.parametrize("router", ["linear", "cosine"])
@pytest.mark.parametrize("output_bias", [True, False])
@pytest.mark.parametrize("blocks", [((), ()), ((), (1,)), ((0,), (0, 1))])
def test_what_is_written_tells_the_model_and_comes_back(router, output_bias, blocks):
    changes = {"router": router, "router_dim": 7, "mlp_output_bias": output_bias, "moe_blocks": blocks}
    model, state = file_of(**changes)
    reading = read(state)
    found = infer(reading.state, reading.buffers)
    assert isinstance(found, SpecMoE)
    assert (found.moe_blocks, found.mlp_output_bias, found.mlp_ratio) == (blocks, output_bias, 4.0)
    if any(blocks):
        assert (found.router, found.num_experts) == (router, 3)
        assert router == "linear" or found.router_dim == 7
    again = classifier("moe", **changes)
    load_weights(again, state)
    assert all(torch.equal(x, y) for x, y in zip(model.parameters(), again.parameters(), strict=True))
    written = export_weights(again, "microsoft")
    assert written.keys() == state.keys()
    assert all(torch.equal(written[name], state[name]) for name in state)


def test_windows_of_pretraining_are_told_by_the_coordinates_or_not_at_all():
    _, state = file_of(pretrained_window_sizes=((3, 3), (5, 5)))
    reading = read(state)
    assert infer(reading.state, reading.buffers).reference_windows == ((3, 3), (5, 5))
    with pytest.raises(UsageError, match="name the variant"):
        infer(reading.state)


def test_how_experts_are_chosen_is_in_no_tensor_and_taken_as_usual():
    _, state = file_of(top_k=2, capacity_factor=2.0)
    reading = read(state)
    found = infer(reading.state, reading.buffers)
    assert (found.top_k, found.capacity_factor) == (1, 1.25)


def test_a_bias_that_is_switched_off_is_written_as_zeros_and_read_only_if_it_is_not_zero():
    """Microsoft's option keeps it from learning; what it is, is added (tutel's fused experts)."""
    _, state = file_of(mlp_output_bias=False)
    assert state[BIAS].shape == (3, 24)
    assert not state[BIAS].any()
    assert "layers.0.blocks.0.mlp.fc2.bias" not in state
    assert not any(name.endswith("fc2_bias") for name in read(state).state)
    state[BIAS][1, 2] = 1e-6
    reading = read(state)
    found = infer(reading.state, reading.buffers)
    assert (found.mlp_output_bias, found.expert_output_bias) == (False, True)
    again = classifier("moe", **HALF, mlp_output_bias=False, expert_output_bias=True)
    load_weights(again, state)
    experts = again.backbone.stages[1].blocks[1].channel_mixer.experts
    assert experts.fc2_bias[1, 2].item() == pytest.approx(1e-6)
    assert torch.equal(export_weights(again, "microsoft")[BIAS], state[BIAS])
    with pytest.raises(DataError, match=r"1 unexpected .`backbone.*experts.fc2_bias`"):
        load_weights(classifier("moe", **HALF, mlp_output_bias=False), state)


def test_a_model_whose_experts_have_their_own_bias_is_given_zeros_too():
    _, state = file_of(mlp_output_bias=False)
    again = classifier("moe", **HALF, mlp_output_bias=False, expert_output_bias=True)
    load_weights(again, state)
    assert not again.backbone.stages[1].blocks[1].channel_mixer.experts.fc2_bias.any()


def test_published_files_have_biases_of_three_axes_and_no_count():
    """Errors in Tutel's issue 248 show (1, 1, 1536) and (1, 1, 384) in files of one expert each."""
    model, state = file_of()
    del state[f"{LAYER}._num_global_experts"]
    for name in (BIAS, f"{LAYER}.experts.batched_fc1_bias"):
        state[name] = state[name][:, None]
    again = classifier("moe", **HALF)
    load_weights(again, state)
    assert all(torch.equal(x, y) for x, y in zip(model.parameters(), again.parameters(), strict=True))


def test_a_second_bias_that_is_absent_is_not_missed():
    """As later versions of Tutel can save it."""
    model, state = file_of(mlp_output_bias=False)
    del state[BIAS]
    again = classifier("moe", **HALF, mlp_output_bias=False)
    load_weights(again, state)
    assert all(torch.equal(x, y) for x, y in zip(model.parameters(), again.parameters(), strict=True))


def test_a_count_of_other_experts_is_refused():
    _, state = file_of()
    state[f"{LAYER}._num_global_experts"] = torch.tensor(12)
    with pytest.raises(DataError, match="holds 3 of 12 experts"):
        read(state)


@pytest.mark.parametrize("dialect", ["timm", "torchvision", "transformers"])
def test_libraries_without_experts_are_no_target(dialect):
    model, _ = file_of()
    with pytest.raises(UsageError, match="Swin-MoE"):
        export_weights(model, dialect)

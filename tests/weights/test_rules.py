"""Rules: patterns with arithmetic, and values that come back exactly."""

import pytest
import torch

from swinkit.weights.rules import LastStage, Move, Pattern, Rename, Together
from swinkit.weights.shared_rules import apart, map_positions, on_grid, token_positions, with_k, without_k


@pytest.mark.parametrize(
    ("text", "name", "values"),
    [
        ("layers.{i}.blocks.{j}.norm1.*", "layers.2.blocks.17.norm1.bias", {"i": 2, "j": 17, "rest": "bias"}),
        ("layers.{i+1}.downsample.*", "layers.3.downsample.bias", {"i": 2, "rest": "bias"}),
        ("features.{2i+1}.{j}", "features.5.0", {"i": 2, "j": 0}),
        ("features.{2i+2}", "features.2", {"i": 0}),
        ("neck.**", "neck.convs.0.bias", {"rest": "convs.0.bias"}),
    ],
)
def test_a_pattern_reads_the_numbers_of_a_name_and_writes_them_back(text: str, name: str, values: dict):
    assert Pattern(text).match(name) == values
    assert Pattern(text).fill(values) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("layers.{i+1}.downsample.*", "layers.0.downsample.bias"),  # there is no stage -1
        ("features.{2i+1}.{j}", "features.4.0"),  # an even one is a merge
        ("layers.{i}.*", "layers.01.bias"),  # would not come back as it was
        ("layers.{i}.*", "layers.0.norm.bias"),  # `*` is one part only
        ("norm.*", "xnorm.bias"),
        ("a.b", "axb"),
    ],
)
def test_a_pattern_refuses_other_names(text: str, name: str):
    assert Pattern(text).match(name) is None


def values_of(moves: list[Move], state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the tensors that the moves make."""
    made = {}
    for move in moves:
        made |= dict(zip(move.given, move.convert([state[name] for name in move.taken], None), strict=True))
    return made


def test_a_rename_keeps_the_tensor_itself():
    state = {"norm3.bias": torch.randn(4)}
    moves = Rename("norm{i}.*", "norms.{i}.*").apply(state)
    assert values_of(moves, state) == {"norms.3.bias": state["norm3.bias"]}
    assert Rename("norm{i}.*", "norms.{i}.*").invert(["norms.3.bias"])[0].given == ("norm3.bias",)


KEYLESS = Together(("{i}.qkv.bias",), ("s{i}.q", "s{i}.v"), without_k, with_k, beside="{i}.logit_scale")


def test_the_bias_of_q_and_v_is_split_off_and_joined_with_zeros_for_k():
    q, v = torch.randn(4), torch.randn(4)
    joined = values_of(KEYLESS.invert({"s0.q": q, "s0.v": v}), {"s0.q": q, "s0.v": v})
    assert torch.equal(joined["0.qkv.bias"], torch.cat([q, torch.zeros(4), v]))
    state = joined | {"0.logit_scale": torch.zeros(1)}
    parts = values_of(KEYLESS.apply(state), state)
    assert torch.equal(parts["s0.q"], q)
    assert torch.equal(parts["s0.v"], v)


def test_a_bias_is_whole_where_nothing_tells_of_cosine_attention():
    assert KEYLESS.apply({"0.qkv.bias": torch.zeros(12), "1.logit_scale": torch.zeros(1)}) == []


def test_three_projections_are_joined_and_parted_for_weight_and_bias_alike():
    rule = apart("{i}.{j}.", ("q", "k", "v"))
    state = {f"0.1.{name}.{part}": torch.randn(4, 2) for name in "qkv" for part in ("weight", "bias")}
    joined = values_of(rule.apply(state), state)
    assert {tuple(tensor.shape) for tensor in joined.values()} == {(12, 2)}
    parted = values_of(rule.invert(joined), joined)
    assert parted.keys() == state.keys()
    assert all(torch.equal(parted[name], state[name]) for name in state)


LAST = LastStage("norm{i}.*", "head.*", "s{i}.b{j}", "o{i}.b{j}")


def test_the_norm_of_the_last_stage_is_told_by_the_blocks():
    assert [move.taken for move in LAST.apply(["norm1.w", "norm2.w", "s2.b0", "s0.b7"])] == [("norm2.w",)]
    assert [move.given for move in LAST.invert(["head.w", "o0.b0", "o2.b0"])] == [("norm2.w",)]


def test_without_blocks_no_stage_is_the_last():
    assert LAST.apply(["norm0.w"]) == []
    assert LAST.invert(["head.w"]) == []


@pytest.mark.parametrize(
    ("rule", "shape"), [(token_positions(), (1, 16, 6)), (map_positions(), (1, 6, 4, 4))]
)
def test_an_absolute_embedding_comes_back_from_either_arrangement(rule, shape: tuple[int, ...]):
    ours = {"backbone.position.embedding": torch.randn(4, 4, 6)}
    theirs = values_of(rule.invert(ours), ours)
    assert theirs["absolute_pos_embed"].shape == shape
    back = values_of(rule.apply(theirs), theirs)
    assert torch.equal(back["backbone.position.embedding"], ours["backbone.position.embedding"])


def test_both_arrangements_hold_the_same_places():
    ours = torch.randn(3, 4, 6)
    tokens = values_of(
        token_positions().invert(["backbone.position.embedding"]), {"backbone.position.embedding": ours}
    )
    maps = values_of(
        map_positions().invert(["backbone.position.embedding"]), {"backbone.position.embedding": ours}
    )
    assert torch.equal(tokens["absolute_pos_embed"][0, 2 * 4 + 1], maps["absolute_pos_embed"][0, :, 2, 1])
    assert torch.equal(on_grid(maps["absolute_pos_embed"], None), ours)

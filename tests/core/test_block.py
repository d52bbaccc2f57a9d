"""The two orders of norm and branch, and stochastic depth."""

from functools import partial

import pytest
import torch
from torch import nn

from swinkit.core.block import MLP, DropPath, PostNormBlock, PreNormBlock


def test_the_pre_norm_block_norms_what_goes_in():
    block = PreNormBlock(4, nn.Linear(4, 4), nn.Linear(4, 4), drop_path=0.0)
    x = torch.randn(2, 3, 4)
    y = x + block.token_mixer(block.norm1(x))
    torch.testing.assert_close(block(x), y + block.channel_mixer(block.norm2(y)))


def test_the_post_norm_block_norms_the_branch_and_not_the_sum():
    block = PostNormBlock(4, nn.Linear(4, 4), nn.Linear(4, 4), 0.0, main_norm=nn.Identity())
    x = torch.randn(2, 3, 4)
    y = x + block.norm1(block.token_mixer(x))
    torch.testing.assert_close(block(x), y + block.norm2(block.channel_mixer(y)))


def test_the_main_norm_of_a_post_norm_block_norms_the_sum():
    """V2-H and V2-G, after some blocks: both branches and what they joined."""
    block = PostNormBlock(4, nn.Linear(4, 4), nn.Linear(4, 4), 0.0, main_norm=nn.Identity())
    x = torch.randn(2, 3, 4)
    joined = block(x)
    block.main_norm = nn.LayerNorm(4)
    torch.testing.assert_close(block(x), nn.functional.layer_norm(joined, (4,)))


def test_drop_path_drops_whole_items_and_keeps_the_mean():
    dropped = DropPath(0.25).train()(torch.ones(4000, 2, 3))
    per_item = dropped.flatten(1)
    assert (per_item == per_item[:, :1]).all()
    assert sorted(set(per_item[:, 0].tolist())) == pytest.approx([0, 4 / 3])
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("path", [DropPath(0.9).eval(), DropPath(0.0).train()], ids=["eval", "rate 0"])
def test_drop_path_leaves_its_input_alone(path):
    x = torch.randn(5, 3)
    assert torch.equal(path(x), x)


@pytest.mark.parametrize("kind", [PreNormBlock, partial(PostNormBlock, main_norm=nn.Identity())])
def test_a_block_drops_both_of_its_branches(kind):
    """At a rate of nearly 1, nothing is left but the input."""
    block = kind(4, nn.Linear(4, 4), nn.Linear(4, 4), drop_path=1 - 1e-9).train()
    x = torch.randn(2, 3, 4)
    assert torch.equal(block(x), x)
    assert not torch.equal(block.eval()(x), x)


def test_drop_path_keeps_half_precision():
    assert DropPath(0.5).train()(torch.ones(8, 2, dtype=torch.float16)).dtype == torch.float16


def test_mlp_is_two_layers_with_an_exact_gelu():
    mlp = MLP(4, 7)
    x = torch.randn(2, 4)
    torch.testing.assert_close(mlp(x), mlp.fc2(nn.functional.gelu(mlp.fc1(x), approximate="none")))

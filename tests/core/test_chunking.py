"""A few images at a time: the same answer, and only where nobody could tell."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook

from swinkit.core.block import MLP, DropPath
from swinkit.core.fast import chunking
from swinkit.core.fast.chunking import run_in_chunks, run_in_token_chunks, run_in_token_chunks_with_gradients

from ..models.small import pixels, small


class Noted(nn.Module):
    """Doubles, and notes how many images it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[int] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.given.append(len(x))
        return x * 2


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(chunking, "CHUNK", 20)


@pytest.fixture
def noted() -> Noted:
    return Noted().eval()


X = torch.arange(56.0).view(7, 8)  # two images a piece


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_images_go_through_a_few_at_a_time(noted, mode):
    with mode():
        assert torch.equal(run_in_chunks(noted, noted, X), X * 2)
    assert noted.given == [2, 2, 2, 1]


@torch.no_grad()
def test_an_image_larger_than_a_piece_goes_by_itself(noted):
    run_in_chunks(noted, noted, torch.ones(2, 100))
    assert noted.given == [1, 1]


def test_with_gradients_or_in_training_all_go_together(noted):
    run_in_chunks(noted, noted, X)
    with torch.no_grad():
        run_in_chunks(noted.train(), noted, X)
    assert noted.given == [7, 7]


@torch.no_grad()
def test_where_a_part_inside_draws_at_random_for_each_image_all_go_together(noted):
    """Else the tokens of an image would be dropped one by one, where drop-path drops it whole."""
    noted.inside = DropPath(0.5).train()
    run_in_token_chunks(noted, noted, X)
    assert noted.given == [7]


@torch.no_grad()
@pytest.mark.parametrize("register", [nn.Module.register_forward_hook, "of all modules"])
def test_a_hook_sees_all_images(noted, register):
    seen = []
    add = partial(register, noted) if callable(register) else register_module_forward_hook
    with add(lambda _part, given, _answer: seen.append(len(given[0]))):
        run_in_chunks(noted, noted, X)
        noted(X)
    assert noted.given == [7, 7]
    assert set(seen) == {7}


@torch.no_grad()
def test_no_images_give_no_answers(noted):
    assert run_in_chunks(noted, noted, X[:0]).shape == (0, 8)


@torch.no_grad()
def test_experts_with_few_slots_see_the_whole_batch(monkeypatch):
    """Keep the batch whole, because experts would drop other tokens of half a batch."""
    model, x = small("moe", capacity_factor=0.5), pixels("moe")
    monkeypatch.setattr(chunking, "CHUNK", 1)
    found = model(x)
    monkeypatch.setattr(chunking, "CHUNK", 10**9)
    for a, b in zip(found, model(x), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_the_tokens_of_one_large_image_go_a_few_at_a_time(noted):
    x = torch.randn(1, 3, 5, 4)
    assert torch.equal(run_in_token_chunks(noted, noted, x), x * 2)
    assert noted.given == [5, 5, 5]  # tokens, of four numbers each
    noted.given.clear()
    run_in_token_chunks(noted, noted, x[:, :1])
    assert noted.given == [1]  # small enough for one piece: as it came


@torch.no_grad()
def test_for_what_fits_one_piece_no_module_is_visited(noted, monkeypatch):
    """As the visit takes longer than a small part."""
    monkeypatch.setattr(chunking, "can_split_batch", lambda *_: pytest.fail("visited"))
    for way in (run_in_chunks, run_in_token_chunks):
        assert torch.equal(way(noted, noted, X[:2]), X[:2] * 2)


class NotedMLP(MLP):
    """Notes how many tokens it was given."""

    def __init__(self, dropout: float = 0.0):
        super().__init__(8, 32, dropout)
        self.given: list[int] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.given.append(len(x))
        return super().forward(x)


@pytest.fixture
def small_lessons(monkeypatch):
    monkeypatch.setattr(chunking, "CHUNK_WITH_GRADIENTS", 20)


@pytest.mark.usefixtures("small_lessons")
def test_with_gradients_tokens_go_a_few_at_a_time_where_none_sees_another():
    mlp = NotedMLP()
    run_in_token_chunks_with_gradients([mlp], mlp, X.clone().requires_grad_())
    assert mlp.given == [2, 2, 2, 1]
    mlp.given.clear()
    run_in_token_chunks_with_gradients([mlp], mlp, X[:2])
    with torch.no_grad():  # as `run_in_token_chunks` has smaller pieces then
        run_in_token_chunks_with_gradients([mlp], mlp, X)
    assert mlp.given == [2, 7]


def with_dropout() -> MLP:
    return NotedMLP(0.5)


def with_statistics() -> MLP:
    mlp = NotedMLP()
    mlp.fc1 = nn.Sequential(mlp.fc1, nn.BatchNorm1d(32))
    return mlp


def watched() -> MLP:
    mlp = NotedMLP()
    mlp.fc2.register_forward_hook(lambda *_: None)
    return mlp


@pytest.mark.usefixtures("small_lessons")
@pytest.mark.parametrize("made", [with_dropout, with_statistics, watched])
def test_with_gradients_what_draws_or_looks_across_or_is_watched_is_called_once(made):
    mlp = made()
    run_in_token_chunks_with_gradients([nn.LayerNorm(8), mlp], mlp, X)
    assert mlp.given == [7]


@pytest.mark.parametrize(("family", "count"), [("v1", 4), ("v2", 4), ("mlp", 4), ("moe", 1), ("video", 4)])
def test_with_gradients_all_blocks_of_a_model_but_those_with_experts_take_a_few_tokens(
    family, count, monkeypatch
):
    asked, ask = list[bool](), chunking.can_split_tokens
    monkeypatch.setattr(chunking, "CHUNK_WITH_GRADIENTS", 200)
    monkeypatch.setattr(chunking, "can_split_tokens", lambda *given: asked.append(ask(*given)) or asked[-1])
    small(family, drop_path=0.5).train()(pixels(family))
    assert sum(asked) == count

"""A few images at a time: the same answer, and only where nobody could tell."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook

from swinkit.core.drop_path import DropPath
from swinkit.core.fast import chunking as pieces
from swinkit.core.fast.chunking import by_token, in_pieces, learned_by_token
from swinkit.core.mlp import MLP

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
    monkeypatch.setattr(pieces, "PIECE", 20)


@pytest.fixture
def noted() -> Noted:
    return Noted().eval()


X = torch.arange(56.0).view(7, 8)  # two images a piece


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_images_go_through_a_few_at_a_time(noted, mode):
    with mode():
        assert torch.equal(in_pieces(noted, noted, X), X * 2)
    assert noted.given == [2, 2, 2, 1]


@torch.no_grad()
def test_an_image_larger_than_a_piece_goes_by_itself(noted):
    in_pieces(noted, noted, torch.ones(2, 100))
    assert noted.given == [1, 1]


def test_with_gradients_or_in_training_all_go_together(noted):
    in_pieces(noted, noted, X)
    with torch.no_grad():
        in_pieces(noted.train(), noted, X)
    assert noted.given == [7, 7]


@torch.no_grad()
def test_where_a_part_inside_draws_at_random_for_each_image_all_go_together(noted):
    """Else the tokens of an image would be dropped one by one, where drop-path drops it whole."""
    noted.inside = DropPath(0.5).train()
    by_token(noted, noted, X)
    assert noted.given == [7]


@torch.no_grad()
@pytest.mark.parametrize("register", [nn.Module.register_forward_hook, "of all modules"])
def test_a_hook_sees_all_images(noted, register):
    seen = []
    add = partial(register, noted) if callable(register) else register_module_forward_hook
    with add(lambda _part, given, _answer: seen.append(len(given[0]))):
        in_pieces(noted, noted, X)
        noted(X)
    assert noted.given == [7, 7]
    assert set(seen) == {7}


@torch.no_grad()
def test_no_images_give_no_answers(noted):
    assert in_pieces(noted, noted, X[:0]).shape == (0, 8)


@pytest.mark.parametrize("family", ["v1", "v2", "mlp", "moe", "video"])
@torch.no_grad()
def test_a_model_answers_alike(family, monkeypatch):
    """Experts with few slots would drop other tokens of half a batch, so those see it whole."""
    scarce = {"capacity_factor": 0.5} if family == "moe" else {}
    model, x = small(family, **scarce), pixels(family)
    monkeypatch.setattr(pieces, "PIECE", 1)
    found = model(x)
    monkeypatch.setattr(pieces, "PIECE", 10**9)
    for a, b in zip(found, model(x), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_the_tokens_of_one_large_image_go_a_few_at_a_time(noted):
    x = torch.randn(1, 3, 5, 4)
    assert torch.equal(by_token(noted, noted, x), x * 2)
    assert noted.given == [5, 5, 5]  # tokens, of four numbers each
    noted.given.clear()
    by_token(noted, noted, x[:, :1])
    assert noted.given == [1]  # small enough for one piece: as it came


@torch.no_grad()
def test_for_what_fits_one_piece_no_module_is_visited(noted, monkeypatch):
    """As the visit takes longer than a small part."""
    monkeypatch.setattr(pieces, "goes_in_pieces", lambda *_: pytest.fail("visited"))
    for way in (in_pieces, by_token):
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
    monkeypatch.setattr(pieces, "LEARNED_PIECE", 20)


@pytest.mark.usefixtures("small_lessons")
def test_with_gradients_tokens_go_a_few_at_a_time_where_none_sees_another():
    mlp = NotedMLP()
    learned_by_token([mlp], mlp, X.clone().requires_grad_())
    assert mlp.given == [2, 2, 2, 1]
    mlp.given.clear()
    learned_by_token([mlp], mlp, X[:2])
    with torch.no_grad():  # as `by_token` has smaller pieces then
        learned_by_token([mlp], mlp, X)
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
    learned_by_token([nn.LayerNorm(8), mlp], mlp, X)
    assert mlp.given == [7]


def learned(model: nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    """The answers of a model that drops whole images at random, and the gradients of its weights."""
    torch.manual_seed(1)
    ends = model(x)
    return [*ends, *torch.autograd.grad(sum(end.square().sum() for end in ends), list(model.parameters()))]


@pytest.mark.parametrize("family", ["v1", "v2", "mlp", "moe", "video"])
def test_a_model_learns_alike(family, monkeypatch):
    """Experts see the whole batch; three of the four blocks have some."""
    model, x = small(family, drop_path=0.5).double().train(), pixels(family).double()
    monkeypatch.setattr(pieces, "LEARNED_PIECE", 200)
    with monkeypatch.context() as patch:
        asked, ask = list[bool](), pieces.learns_in_pieces
        patch.setattr(pieces, "learns_in_pieces", lambda *given: asked.append(ask(*given)) or asked[-1])
        found = learned(model, x)
    assert sum(asked) == (1 if family == "moe" else 4)
    monkeypatch.setattr(pieces, "LEARNED_PIECE", 10**9)
    for a, b in zip(found, learned(model, x), strict=True):
        torch.testing.assert_close(a, b)

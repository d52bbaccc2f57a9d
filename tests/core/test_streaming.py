"""Long windows, a few at a time: as all at once, for every border and similarity; never with gradients."""

import pytest
import torch
from torch import nn

from swinkit.core import attention as module
from swinkit.core.borders import BORDERS
from swinkit.core.fast import chunked_attention as streaming

from .mixers import mixer

IMAGES = [((24, 24), (12, 12), (6, 6)), ((19, 29), (12, 12), (6, 6)), ((25, 13), (12, 12), (0, 0))]
CLIPS = [((5, 9, 13), (4, 6, 6), (2, 3, 3))]
CUTS = [(border, *cut) for border in BORDERS for cut in IMAGES + (CLIPS if border != "square" else [])]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many windows each call of the kernel is given, at most two at a time."""
    found, kernel = [], streaming.F.scaled_dot_product_attention

    def counted(q: torch.Tensor, *others: torch.Tensor, **options: object) -> torch.Tensor:
        found.append(len(q))
        return kernel(q, *others, **options)

    monkeypatch.setattr(streaming, "PIECE", 2 * 144 * 8)
    monkeypatch.setattr(streaming.F, "scaled_dot_product_attention", counted)
    return found


@torch.no_grad()
@pytest.mark.parametrize(("border", "grid", "window", "shift"), CUTS)
@pytest.mark.parametrize("cosine", [False, True], ids=["v1", "v2"])
def test_it_answers_as_all_windows_together_do(border, grid, window, shift, cosine, calls, monkeypatch):
    attention = mixer(window, shift, border, cosine=cosine).eval()
    x = torch.randn(2, *grid, 8, dtype=torch.double)
    answer = attention(x)
    if border != "clip":  # whose windows may become too short for it
        assert calls
        assert max(calls) <= 2
    monkeypatch.setattr(module, "goes_in_pieces", lambda *_: False)
    torch.testing.assert_close(answer, attention(x))


@torch.no_grad()
def test_strided_tokens_are_answered_like_others(calls):
    attention = mixer((12, 12), (6, 6), "pad", cosine=True).eval()
    x = torch.randn(2, 30, 26, 8, dtype=torch.double).transpose(1, 2)
    assert torch.equal(attention(x), attention(x.contiguous()))
    assert calls


@torch.no_grad()
def test_autocast_answers_in_its_own_precision(calls, monkeypatch):
    attention = mixer((12, 12), (6, 6), "pad", cosine=False).float().eval()
    x = torch.randn(1, 24, 24, 8)
    with torch.autocast("cpu", torch.bfloat16):
        answer = attention(x)
        assert calls
        monkeypatch.setattr(module, "goes_in_pieces", lambda *_: False)
        whole = attention(x)
    assert answer.dtype == whole.dtype == torch.bfloat16
    torch.testing.assert_close(answer, whole, rtol=0.05, atol=0.05)


def test_with_gradients_all_windows_go_together(calls):
    attention = mixer((12, 12), (6, 6), "pad", cosine=False).eval()
    attention(torch.randn(1, 24, 24, 8, dtype=torch.double)).sum().backward()
    assert calls == [1, 1, 1, 1]  # one window of each of four kinds
    assert attention.qkv.weight.grad is not None


@torch.no_grad()
def test_a_change_of_the_bias_is_followed(calls):
    attention = mixer((12, 12), (6, 6), "pad", cosine=False).eval()
    x = torch.randn(1, 24, 24, 8, dtype=torch.double)
    before = attention(x)
    assert torch.equal(before, attention(x))
    for parameter in attention.bias.parameters():
        nn.init.normal_(parameter)
    assert not torch.allclose(before, attention(x))
    assert calls

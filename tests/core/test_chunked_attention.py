"""Long windows go a few at a time, and never with gradients; `test_fast.py` compares the answers."""

import pytest
import torch
from torch import nn

from swinkit.core.fast import chunked_attention, forwards

from .mixers import mixer


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many windows each call of the kernel is given, at most two at a time."""
    found, kernel = [], chunked_attention.F.scaled_dot_product_attention

    def counted(q: torch.Tensor, *others: torch.Tensor, **options: object) -> torch.Tensor:
        found.append(len(q))
        return kernel(q, *others, **options)

    monkeypatch.setattr(chunked_attention, "CHUNK", 2 * 144 * 8)
    monkeypatch.setattr(chunked_attention.F, "scaled_dot_product_attention", counted)
    return found


@torch.no_grad()
@pytest.mark.parametrize("cosine", [False, True], ids=["v1", "v2"])
def test_a_kernel_is_given_a_few_windows_at_a_time(cosine, calls):
    mixer((12, 12), (6, 6), "pad", cosine=cosine).eval()(torch.randn(2, 19, 29, 8, dtype=torch.double))
    assert calls
    assert max(calls) <= 2


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
        monkeypatch.setattr(forwards, "can_split_batch", lambda *_: False)
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

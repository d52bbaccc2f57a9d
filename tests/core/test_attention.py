"""How queries and keys are compared, and attention as a whole."""

import math

import pytest
import torch
import torch.nn.functional as F

from swinkit.core.attention import ScaledCosine, ScaledDot, WindowAttention
from swinkit.core.borders import clip
from swinkit.core.fast.forwards import padding_of
from swinkit.core.position import LearnedBias
from swinkit.core.qkv import KeylessBiasLinear
from swinkit.core.spec import BlockSpec
from swinkit.core.windows import PadThenRoll

from .mixers import mixer


def test_scaled_dot_divides_by_the_root_of_the_head_width():
    q, k = torch.randn(2, 5, 16), torch.randn(2, 5, 16)
    same_q, same_k, scale = ScaledDot()(q, k)
    assert (same_q is q, same_k is k, scale) == (True, True, 1 / 4)


def test_scaled_dot_takes_a_scale_of_ones_own():
    q = torch.randn(2, 5, 16)
    assert ScaledDot(0.3)(q, q)[2] == 0.3


def test_scaled_cosine_is_the_cosine_times_a_temperature():
    """Fresh heads have temperature 10."""
    q, k = torch.randn(3, 2, 5, 8), torch.randn(3, 2, 5, 8)
    scaled, unit, scale = ScaledCosine(2)(q, k)
    assert scale == 1.0
    expected = 10 * F.cosine_similarity(q[..., :, None, :], k[..., None, :, :], dim=-1)
    torch.testing.assert_close(scaled @ unit.transpose(-2, -1), expected, atol=1e-5, rtol=1e-5)


def test_the_temperature_never_exceeds_100():
    similarity = ScaledCosine(1)
    torch.nn.init.constant_(similarity.log_scale, 7.0)
    q = torch.randn(1, 5, 8)
    torch.testing.assert_close(similarity(q, q)[0].norm(dim=-1), torch.full((1, 5), 100.0))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_a_key_of_padding_stays_finite(dtype):
    """V2's keys have no bias, so padding has the key 0; in fp16 the published guard of 1e-12 is 0 too."""
    similarity = ScaledCosine(2).to(dtype)
    q, k = torch.randn(2, 4, 8, dtype=dtype), torch.zeros(2, 4, 8, dtype=dtype)
    for x in (*similarity(q, k)[:2], *similarity(k, q)[:2]):
        assert x.dtype == dtype
        assert x.isfinite().all()
    assert similarity(q, k)[1].abs().max() == 0


def test_keyless_bias_adds_nothing_to_keys():
    linear = KeylessBiasLinear(4)
    torch.nn.init.normal_(linear.weight)
    torch.nn.init.normal_(linear.q_bias)
    torch.nn.init.normal_(linear.v_bias)
    zero = linear(torch.zeros(1, 4))[0]
    assert torch.equal(zero[:4], linear.q_bias)
    assert zero[4:8].abs().max() == 0
    assert torch.equal(zero[8:], linear.v_bias)
    assert set(linear.state_dict()) == {"weight", "q_bias", "v_bias"}


def test_the_keyless_layer_is_a_linear_layer_to_others_and_draws_no_random_numbers():
    """Seeded weights of whole models depend on what each layer draws."""
    before = torch.get_rng_state()
    assert isinstance(KeylessBiasLinear(4), torch.nn.Linear)
    assert torch.equal(torch.get_rng_state(), before)


def test_attention_of_one_window_is_plain_multi_head_attention():
    """A grid that one window covers: torch's own attention with the bias added."""
    block = BlockSpec(
        stage=0, index=0, dim=8, num_heads=2, window=(3, 3), shift=(1, 1), hidden=0, drop_path=0.0
    )
    bias = LearnedBias((3, 3), 2)
    torch.nn.init.normal_(bias.table)
    attention = WindowAttention(block, clip, qkv=torch.nn.Linear(8, 24), similarity=ScaledDot(), bias=bias)
    x = torch.randn(2, 3, 3, 8)
    q, k, v = (
        part.unflatten(-1, (2, 4)).transpose(1, 2) for part in attention.qkv(x.flatten(1, 2)).chunk(3, dim=-1)
    )
    expected = F.scaled_dot_product_attention(q, k, v, attn_mask=bias((3, 3))[None], scale=1 / math.sqrt(4))
    expected = attention.proj(expected.transpose(1, 2).flatten(2)).unflatten(1, (3, 3))
    torch.testing.assert_close(attention(x), expected)


class Stretched(torch.nn.Module):
    """What is no linear layer: zeros become whatever it makes of them."""

    def forward(self, x):
        return torch.cat([x + 1, x + 2, x + 3], dim=-1)


class Shifted(torch.nn.Linear):
    """A linear layer that adds something of its own."""

    def forward(self, x):
        return super().forward(x) + 1


@pytest.mark.parametrize(
    "qkv",
    [
        torch.nn.Linear(8, 24),
        torch.nn.Linear(8, 24, bias=False),
        KeylessBiasLinear(8),
        Stretched(),
        Shifted(8, 24),
    ],
    ids=["linear", "without-bias", "keyless", "another", "derived"],
)
def test_padding_is_what_becomes_of_zeros(qkv):
    attention = mixer((4, 4), (2, 2), "clip", cosine=False).float()
    for parameter in qkv.parameters():
        torch.nn.init.normal_(parameter)
    attention.qkv = qkv
    x = torch.randn(1, 5, 7, 8)
    expected = qkv(torch.zeros(8))
    layout = attention.border((5, 7), (4, 4), (2, 2))
    assert torch.equal(padding_of(attention, x, x.dtype, layout), expected)
    filled = F.pad(qkv(x), (0, 0, 0, 1, 0, 3))
    filled[:, 5:] = filled[:, :, 7:] = expected
    whole = PadThenRoll((8, 8), (4, 4), (2, 2))
    attention.qkv = torch.nn.Identity()
    answer = attention.attend(whole.partition(filled), whole)
    answer = attention.proj(whole.merge(answer))[:, :5, :7]
    attention.qkv = qkv
    torch.testing.assert_close(attention(x), answer, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_a_linear_layer_is_not_asked_about_padding():
    """Its product with zeros would read all of its weights again."""
    attention, asked = mixer((4, 4), (2, 2), "clip", cosine=True).float(), []
    attention.qkv.register_forward_hook(lambda _layer, given, _answer: asked.append(given[0].shape))
    attention(torch.randn(1, 5, 7, 8))
    assert asked == [(1, 5, 7, 8)]

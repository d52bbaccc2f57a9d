"""The fused kernel has a plain twin; they must agree."""

import pytest
import torch

from swinkit.core import kernels
from swinkit.core.fast import window_gather


def drawn(dtype: torch.dtype = torch.float32, tokens: int = 10) -> tuple[torch.Tensor, ...]:
    """q, k, v of 2 grids, 3 windows, 4 heads."""
    return tuple(torch.randn(2, 3, 4, tokens, 8, dtype=dtype) for _ in range(3))


@pytest.mark.parametrize("shape", [(4, 10, 10), (3, 4, 10, 10)], ids=["one-offset", "offset-per-window"])
@pytest.mark.parametrize(
    ("dtype", "atol"), [(torch.float32, 1e-6), (torch.float64, 1e-14), (torch.bfloat16, 0.03)]
)
def test_fused_equals_plain(shape, dtype, atol):
    q, k, v = drawn(dtype)
    offset = torch.randn(shape, dtype=dtype)
    torch.testing.assert_close(
        kernels.attend_fused(q, k, v, offset, 0.0),
        kernels.attend_plainly(q, k, v, offset, 0.0),
        atol=atol,
        rtol=atol,
    )


def test_gradients_of_fused_equal_those_of_plain():
    q, k, v = drawn()
    offset = torch.randn(3, 4, 10, 10)
    found = []
    for kernel in (kernels.attend_plainly, kernels.attend_fused):
        leaves = [x.clone().requires_grad_() for x in (q, k, v, offset)]
        found.append(torch.autograd.grad(kernel(*leaves, 0.0).square().sum(), leaves))
    torch.testing.assert_close(found[0], found[1], atol=1e-5, rtol=1e-4)


def test_masked_pairs_get_no_weight():
    """-100 as published: what is left of a masked pair is below the last digit."""
    q, k, v = drawn()
    offset = torch.zeros(4, 10, 10)
    offset[..., 5:] = -100.0
    expected = kernels.attend_plainly(q, k[..., :5, :], v[..., :5, :], torch.zeros(4, 10, 5), 0.0)
    torch.testing.assert_close(kernels.attend_plainly(q, k, v, offset, 0.0), expected)


@pytest.mark.parametrize("tokens", [kernels.FUSED_FROM - 1, kernels.FUSED_FROM])
def test_attend_gives_the_plain_answer_whichever_it_takes(tokens):
    q, k, v = drawn(tokens=tokens)
    offset = torch.randn(4, tokens, tokens)
    torch.testing.assert_close(
        kernels.attend(q, k, v, offset, 0.0),
        kernels.attend_plainly(q, k, v, offset, 0.0),
        atol=1e-5,
        rtol=1e-5,
    )


@pytest.mark.parametrize("kernel", [kernels.attend_plainly, kernels.attend_fused])
def test_dropout_changes_the_answer_and_keeps_its_mean(kernel):
    q, k, _ = drawn()
    v = torch.ones_like(q)  # so that without dropout every answer is 1
    dropped = torch.stack([kernel(q, k, v, torch.zeros(4, 10, 10), 0.5) for _ in range(50)])
    assert dropped.std() > 0.1
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.05)


def drawn_by_kind(dtype: torch.dtype = torch.float32, tokens: int = 10) -> tuple[torch.Tensor, ...]:
    """q, k, v of 5 windows of 2 grids, 4 heads, and the offsets of 2 kinds."""
    q, k, v = (torch.randn(5, 2, 4, tokens, 8, dtype=dtype) for _ in range(3))
    return q, k, v, torch.randn(2, 4, tokens, tokens, dtype=dtype)


BY_KIND = [window_gather.attend_by_kind, window_gather.attend_fused_by_kind]


@pytest.mark.parametrize("kernel", BY_KIND)
@pytest.mark.parametrize("counts", [(3, 2), (5,)], ids=["two-kinds", "one-kind"])
@pytest.mark.parametrize(
    ("dtype", "atol"), [(torch.float32, 1e-6), (torch.float64, 1e-14), (torch.bfloat16, 0.03)]
)
def test_windows_by_kind_equal_plain_ones_with_an_offset_each(kernel, counts, dtype, atol):
    q, k, v, offsets = drawn_by_kind(dtype)
    offsets = offsets[: len(counts)]
    each = offsets.repeat_interleave(torch.tensor(counts), 0)[:, None]
    found = kernel(q, k, v, 0.3, offsets, counts, 0.0)
    torch.testing.assert_close(found, kernels.attend_plainly(q * 0.3, k, v, each, 0.0), atol=atol, rtol=atol)


@pytest.mark.parametrize("kernel", BY_KIND)
def test_gradients_by_kind_equal_those_of_plain(kernel):
    def gradients(attend):
        leaves = [x.clone().requires_grad_() for x in drawn]
        return torch.autograd.grad(attend(*leaves).square().sum(), leaves)

    def plainly(q, k, v, offsets):
        return kernels.attend_plainly(
            q * 0.3, k, v, offsets.repeat_interleave(torch.tensor((3, 2)), 0)[:, None], 0.0
        )

    drawn = drawn_by_kind()
    found = gradients(lambda q, k, v, offsets: kernel(q, k, v, 0.3, offsets, (3, 2), 0.0))
    torch.testing.assert_close(found, gradients(plainly), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kernel", BY_KIND)
def test_dropout_by_kind_changes_the_answer_and_keeps_its_mean(kernel):
    q, k, _, offsets = drawn_by_kind()
    dropped = torch.stack([kernel(q, k, torch.ones_like(q), 0.3, offsets, (3, 2), 0.5) for _ in range(50)])
    assert dropped.std() > 0.1
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.05)


def test_by_kind_an_offset_in_fp32_is_not_rounded_to_half_precision():
    q, k, v, _ = drawn_by_kind(torch.bfloat16)
    offsets = torch.randn(2, 4, 10, 10) + 16
    each = offsets.repeat_interleave(torch.tensor((3, 2)), 0)[:, None]
    assert torch.equal(
        window_gather.attend_by_kind(q, k, v, 1.0, offsets, (3, 2), 0.0),
        kernels.attend_plainly(q, k, v, each, 0.0),
    )


@pytest.mark.parametrize("tokens", [kernels.FUSED_FROM - 1, kernels.FUSED_FROM])
def test_offsets_are_left_as_they_came(tokens):
    q, k, v, offsets = drawn_by_kind(tokens=tokens)
    before = offsets.clone()
    window_gather.attend_by_kind(q[:1, :1], k[:1, :1], v[:1, :1], 1.0, offsets[:1], (1,), 0.0)
    assert torch.equal(offsets, before)

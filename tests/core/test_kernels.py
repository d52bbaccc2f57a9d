"""The fused kernel has a plain twin; they must agree."""

import pytest
import torch

from swinkit.core import kernels


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
        kernels.fused(q, k, v, offset, 0.0), kernels.plain(q, k, v, offset, 0.0), atol=atol, rtol=atol
    )


def test_gradients_of_fused_equal_those_of_plain():
    q, k, v = drawn()
    offset = torch.randn(3, 4, 10, 10)
    found = []
    for kernel in (kernels.plain, kernels.fused):
        leaves = [x.clone().requires_grad_() for x in (q, k, v, offset)]
        found.append(torch.autograd.grad(kernel(*leaves, 0.0).square().sum(), leaves))
    torch.testing.assert_close(found[0], found[1], atol=1e-5, rtol=1e-4)


def test_masked_pairs_get_no_weight():
    """-100 as published: what is left of a masked pair is below the last digit."""
    q, k, v = drawn()
    offset = torch.zeros(4, 10, 10)
    offset[..., 5:] = -100.0
    expected = kernels.plain(q, k[..., :5, :], v[..., :5, :], torch.zeros(4, 10, 5), 0.0)
    torch.testing.assert_close(kernels.plain(q, k, v, offset, 0.0), expected)


@pytest.mark.parametrize("tokens", [kernels.FUSED_FROM - 1, kernels.FUSED_FROM])
def test_attend_gives_the_plain_answer_whichever_it_takes(tokens):
    q, k, v = drawn(tokens=tokens)
    offset = torch.randn(4, tokens, tokens)
    torch.testing.assert_close(
        kernels.attend(q, k, v, offset, 0.0), kernels.plain(q, k, v, offset, 0.0), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("kernel", [kernels.plain, kernels.fused])
def test_dropout_changes_the_answer_and_keeps_its_mean(kernel):
    q, k, _ = drawn()
    v = torch.ones_like(q)  # so that without dropout every answer is 1
    dropped = torch.stack([kernel(q, k, v, torch.zeros(4, 10, 10), 0.5) for _ in range(50)])
    assert dropped.std() > 0.1
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.05)

"""Windows by one gather: the same as by views of the grid, whatever the grid, the policy and the gradient."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from swinkit.core.attention import ScaledCosine, ScaledDot, WindowAttention
from swinkit.core.borders import BORDERS
from swinkit.core.fast import cache, forwards
from swinkit.core.fast.window_gather import WindowGather, kinds_of, rows_of
from swinkit.core.position import LearnedBias
from swinkit.core.spec import BlockSpec

from ..models.small import stirred
from .geometry import cuts, labelled

POLICIES = sorted(BORDERS)
CPU = torch.device("cpu")


@pytest.mark.parametrize("policy", POLICIES)
@given(cut=cuts(), batch=st.integers(1, 3))
def test_both_hold_the_same_windows(policy, cut, batch):
    """Compare as sets, because a gather orders windows by kind."""
    layout = BORDERS[policy](*cut)
    x = labelled(cut[0]) + torch.arange(batch).view(-1, *[1] * (len(cut[0]) + 1)) * 10_000
    qkv = torch.cat([x + part * 1000 for part in range(6)], -1)  # two heads of one channel
    padding = torch.arange(6, dtype=qkv.dtype) * -1.0 if layout.padded != layout.grid else None
    gathered = WindowGather(layout, 2).split(qkv, padding).transpose(1, 2).flatten(3)
    windows = layout.partition(qkv)
    if padding is not None:
        real = layout.partition(torch.ones_like(qkv[:1, ..., :1]))
        windows = torch.where(real > 0, windows, padding)
    viewed = windows.unflatten(-1, (3, 2, -1)).permute(3, 0, 1, 4, 2, 5).flatten(3)
    order = kinds_of(layout, CPU).places
    home = (layout.partition(labelled(cut[0]))[0, :, :, 0] - 1).long()
    first = {tuple(row.tolist()): index for index, row in enumerate(home)}
    chosen = [first[tuple(row.tolist())] for row in order]
    assert sorted(order.flatten().tolist()) == sorted(home.flatten().tolist())
    assert torch.equal(gathered, viewed[:, :, chosen])


@pytest.mark.parametrize("policy", POLICIES)
@given(cut=cuts(), batch=st.integers(1, 3))
def test_join_gives_back_what_split_cut(policy, cut, batch):
    layout = BORDERS[policy](*cut)
    qkv = torch.randn(batch, *cut[0], 12)
    padding = torch.randn(12) if layout.padded != layout.grid else None
    windows = WindowGather(layout, 2)
    for part, whole in zip(windows.split(qkv, padding), qkv.split(4, -1), strict=True):
        assert torch.equal(windows.join(part), whole)


@pytest.mark.parametrize("policy", POLICIES)
@given(cut=cuts())
def test_windows_come_in_two_kinds_for_each_shifted_axis_at_most(policy, cut):
    layout = BORDERS[policy](*cut)
    found = kinds_of(layout, CPU)
    assert len(found.counts) == len(found.masks) <= 2 ** sum(shift > 0 for shift in layout.shift)
    assert sum(found.counts) == len(found.places)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("similarity", [ScaledDot, lambda: ScaledCosine(2)], ids=["v1", "v2"])
@settings(max_examples=15)
@given(cut=cuts(), batch=st.integers(1, 2))
def test_attention_and_all_its_gradients_are_those_of_the_plain_twin(policy, similarity, cut, batch):
    grid, window, shift = cut
    module = WindowAttention(
        BlockSpec(stage=0, index=0, dim=8, num_heads=2, window=window, shift=shift, hidden=8, drop_path=0.0),
        BORDERS[policy],
        qkv=torch.nn.Linear(8, 24),
        similarity=similarity(),
        bias=LearnedBias(window, 2),
    )
    stirred(module.double())
    x, weight = torch.randn(2, batch, *grid, 8, dtype=torch.float64)
    found = []
    for is_eager in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(forwards, "is_eager", lambda _x, is_eager=is_eager: is_eager)
            leaf = x.clone().requires_grad_()
            answer = module(leaf)
            leaves = [leaf, *module.parameters()]
            found.append([answer, *torch.autograd.grad((answer * weight).sum(), leaves)])
    torch.testing.assert_close(*found, atol=1e-11, rtol=1e-9)


def test_a_gradient_of_a_gradient_flows():
    layout = BORDERS["pad"]((5,), (4,), (2,))
    qkv, padding = torch.randn(1, 5, 6, dtype=torch.float64), torch.randn(6, dtype=torch.float64)

    def there_and_back(qkv, padding):
        windows = WindowGather(layout, 1)
        return windows.join(windows.split(qkv, padding).prod(0))

    leaves = (qkv.requires_grad_(), padding.requires_grad_())
    assert torch.autograd.gradcheck(there_and_back, leaves)
    assert torch.autograd.gradgradcheck(there_and_back, leaves)


def test_what_is_remembered_is_bounded_in_bytes_and_used_again(monkeypatch):
    cache.TABLES.clear()  # because earlier tests may have filled them, up to their own capacity
    monkeypatch.setattr(cache, "CAPACITY", 2**17)
    layouts = [BORDERS["clip"]((side, 8), (1, 1), (0, 0)) for side in range(1, 100)]
    for layout in layouts:
        found = rows_of(layout, CPU, 1, 3, 2)
        assert rows_of(layout, CPU, 1, 3, 2) is found
        assert sum(map(cache.bytes_of, cache.TABLES.values())) <= 2**17
    assert cache.bytes_of(found) == cache.OVERHEAD + 2 * 4 * 99 * 8 * 3 * 2
    assert len(cache.TABLES) > 1
    monkeypatch.setattr(cache, "CAPACITY", 0)
    assert rows_of(layouts[0], CPU, 1, 3, 2).cut.numel() == 8 * 3 * 2  # larger than the cache
    assert len(cache.TABLES) == 1


def test_tables_made_without_gradients_serve_a_forward_with_them():
    cache.TABLES.clear()
    windows = WindowGather(BORDERS["pad"]((6, 6), (4, 4), (2, 2)), 1)
    qkv, padding = torch.randn(1, 6, 6, 3), torch.randn(3)
    with torch.inference_mode():
        windows.split(qkv, padding)
    leaf = qkv.clone().requires_grad_()
    windows.join(windows.split(leaf, padding)[0]).sum().backward()
    assert leaf.grad.sum() == 36


def test_tables_are_made_on_the_cpu_whatever_the_default_device():
    cache.TABLES.clear()
    qkv = torch.randn(1, 6, 6, 3)
    windows = WindowGather(BORDERS["pad"]((6, 6), (4, 4), (2, 2)), 1)
    with torch.device("meta"):
        found = windows.split(qkv, torch.zeros(3, device="cpu"))
    assert found.device == CPU

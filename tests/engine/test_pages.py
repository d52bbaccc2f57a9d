"""Weights lie one behind the other in memory that is reserved in large pieces."""

import mmap

import pytest
import torch

from swinkit.engine.cpu import huge_pages as pages
from swinkit.engine.cpu.huge_pages import CHUNK, LINE, HugePages

pytestmark = pytest.mark.slow


@pytest.fixture(params=[True, False], ids=["large", "usual"])
def some(request, monkeypatch) -> HugePages:
    if not request.param:
        monkeypatch.delattr(mmap, "MADV_HUGEPAGE", raising=False)
    elif not hasattr(mmap, "MADV_HUGEPAGE"):
        pytest.skip("this system has no large pages to ask for")
    return HugePages()


def test_copies_are_equal_lie_apart_and_outlive_what_gave_them_room(some):
    given = [torch.randn(5, 7).double(), torch.randn(3, 4).T, torch.randn(CHUNK + 1), torch.randn(2)]
    copies = [some.copy(each) for each in given]
    del some
    for copy, each in zip(copies, given, strict=True):
        assert copy.is_contiguous()
        assert torch.equal(copy, each.float())
        copy.fill_(1)
    assert all((copy == 1).all() for copy in copies)


def test_neighbours_share_no_cache_line(some):
    first, second = some.copy(torch.zeros(1)), some.copy(torch.zeros(LINE))
    assert second.data_ptr() - first.data_ptr() == 4 * LINE


def test_room_is_reserved_for_many_at_once(some, monkeypatch):
    counts, reserve = [], pages.reserve
    monkeypatch.setattr(pages, "reserve", lambda count: counts.append(count) or reserve(count))
    for size in (10, 1000, CHUNK // 2, CHUNK, 3 * CHUNK):
        some.copy(torch.zeros(size))
    assert counts == [CHUNK, CHUNK, 3 * CHUNK]

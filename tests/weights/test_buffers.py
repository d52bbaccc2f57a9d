"""Buffers of other libraries: rebuilt as they are there, and read for the windows they tell."""

import pytest
import torch

from swinkit.core.position import log_offsets, pairs
from swinkit.weights.buffers import log_coordinates, relative_index, window_of_index, windows_of_coordinates

WINDOWS = [(7,), (4, 4), (3, 5), (5, 3), (2, 3, 4), (8, 7, 7)]


@pytest.mark.parametrize("window", WINDOWS)
def test_the_index_points_at_the_row_that_a_pair_of_ours_has(window: tuple[int, ...]):
    rows = torch.arange(torch.tensor([2 * w - 1 for w in window]).prod()).float()
    ours = pairs(rows.view(*[2 * w - 1 for w in window], 1))[0]
    assert torch.equal(relative_index(window), ours.long())


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("flat", [False, True])
def test_an_index_tells_its_window(window: tuple[int, ...], flat: bool):
    index = relative_index(window)
    assert window_of_index(index.flatten() if flat else index, len(window)) == window


def test_an_index_of_no_window_tells_none():
    assert window_of_index(torch.zeros(16, 16, dtype=torch.int64), 2) is None


@pytest.mark.parametrize(
    ("window", "reference"), [((8, 8), (8, 8)), ((16, 16), (8, 8)), ((6, 4), (12, 7)), ((1, 1), (1, 1))]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_coordinates_tell_both_windows(
    window: tuple[int, int], reference: tuple[int, int], dtype: torch.dtype
):
    assert windows_of_coordinates(log_coordinates(window, reference).to(dtype)) == (window, reference)


def test_coordinates_are_the_offsets_that_our_v2_computes():
    ours = log_offsets((5, 4), (8, 6), torch.device("cpu"), torch.float32)
    torch.testing.assert_close(log_coordinates((5, 4), (8, 6))[0], ours)

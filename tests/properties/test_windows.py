"""Windows under every border policy: nothing is lost, and nobody sees a stranger."""

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from swinkit.core.borders import BORDERS, MIXING_BORDERS
from swinkit.core.spec import Size
from swinkit.core.windows import MASKED, PadThenRoll, RolledLayout

from .geometry import cuts, labelled, official_mask, places_of

POLICIES = sorted(BORDERS)


@pytest.mark.parametrize("policy", POLICIES)
@given(cut=cuts())
def test_merge_gives_back_what_partition_cut(policy, cut):
    layout = BORDERS[policy](*cut)
    x = labelled(cut[0])
    windows = layout.partition(x)
    assert windows.shape[2] == torch.Size(layout.window).numel()
    assert torch.equal(layout.merge(windows), x)


@pytest.mark.parametrize("policy", POLICIES)
@given(cut=cuts())
def test_every_token_is_in_one_window(policy, cut):
    x = labelled(cut[0])
    seen = BORDERS[policy](*cut).partition(x)
    assert sorted(seen[seen > 0].tolist()) == x.flatten().tolist()


@pytest.mark.parametrize("policy", POLICIES)
@given(cut=cuts())
def test_the_mask_is_symmetric_and_lets_a_token_see_itself(policy, cut):
    mask = BORDERS[policy](*cut).mask()
    assume(mask is not None)
    assert torch.equal(mask, mask.transpose(1, 2))
    assert mask.diagonal(dim1=1, dim2=2).abs().max() == 0
    assert set(mask.unique().tolist()) <= {MASKED, 0.0}


@pytest.mark.parametrize("policy", [p for p in POLICIES if p != "roll-first"])
@given(cut=cuts())
def test_only_neighbours_see_each_other(policy, cut):
    """Brute force: real tokens that see each other are of one window of the grid, cut at the shift."""
    assert strangers(BORDERS[policy](*cut)) == 0


@pytest.mark.parametrize("policy", [p for p in POLICIES if p != "roll-first"])
@given(cut=cuts())
def test_neighbours_of_a_shifted_window_all_see_each_other(policy, cut):
    """The other half: the mask takes away no pair that shares a window of the grid cut at the shift."""
    layout = BORDERS[policy](*cut)
    mask = layout.mask()
    assume(mask is not None)
    for window, hidden in zip(layout.partition(places_of(layout.grid) + 1)[0], mask, strict=True):
        cell = torch.div(
            window - 1 - torch.tensor(layout.shift), torch.tensor(layout.window), rounding_mode="floor"
        )
        real = (window > 0).all(-1)
        together = (cell[:, None] == cell[None]).all(-1) & real[:, None] & real[None]
        assert (hidden[together] == 0).all()


def test_timm_lets_opposite_edges_see_each_other_where_it_pads():
    """timm issue 2438: ordered pairs along one axis, window 7, shift 3, four stages; else none."""
    counted = {
        size: [too_far(BORDERS["roll-first"]((size // 4 >> stage,), (7,), (3,))) for stage in range(4)]
        for size in (224, 448, 256, 512, 640, 800)
    }
    assert counted == {
        224: [0, 0, 0, 0],
        448: [0, 0, 0, 0],
        256: [20, 6, 12, 2],
        512: [12, 20, 6, 12],
        640: [6, 0, 8, 6],
        800: [6, 12, 20, 6],
    }
    for size in counted:
        assert [too_far(BORDERS["clip"]((size // 4 >> stage,), (7,), (3,))) for stage in range(4)] == [0] * 4


@given(cuts())
def test_the_mask_equals_the_regions_that_the_paper_paints(cut):
    grid, window, shift = cut
    layout = PadThenRoll(grid, window, shift)
    mask = layout.mask()
    assume(mask is not None)
    assert torch.equal(mask, official_mask(layout.padded, window, shift))


def test_without_a_shift_there_is_no_mask():
    assert PadThenRoll((8, 8), (4, 4), (0, 0)).mask() is None


@given(cuts(), st.data())
def test_shifting_commutes_with_moving_by_whole_windows(cut, data):
    """Moving the grid by whole windows only renames the windows."""
    grid, window, shift = cut
    counts = tuple(data.draw(st.integers(1, 3)) for _ in grid)
    whole = tuple(c * w for c, w in zip(counts, window, strict=True))
    moves = tuple(data.draw(st.integers(0, c)) for c in counts)
    layout = PadThenRoll(whole, window, shift)
    x = labelled(whole)
    n = len(grid)
    moved = torch.roll(x, tuple(m * w for m, w in zip(moves, window, strict=True)), layout.axes)
    windows = layout.partition(x).unflatten(1, layout.counts)
    expected = torch.roll(windows, moves, tuple(range(1, n + 1))).flatten(1, n)
    assert torch.equal(layout.partition(moved), expected)


@given(cuts())
def test_on_grids_that_divide_and_exceed_the_window_all_policies_agree(cut):
    _, window, shift = cut
    grid = tuple(2 * w for w in window)
    layouts = [BORDERS[policy](grid, window, shift) for policy in POLICIES]
    x = labelled(grid)
    assert all(torch.equal(layout.partition(x), layouts[0].partition(x)) for layout in layouts)
    assert len({(layout.window, layout.shift) for layout in layouts}) == 1


@pytest.mark.parametrize(
    ("policy", "grid", "expected"),
    [
        ("clip", (3, 9), ((3, 4), (0, 2))),
        ("clip", (4, 4), ((4, 4), (0, 0))),
        ("square", (3, 9), ((3, 3), (0, 0))),
        ("square", (5, 9), ((4, 4), (2, 2))),
        ("square", (4, 9), ((4, 4), (0, 0))),
        ("pad", (3, 9), ((4, 4), (2, 2))),
        ("pad", (4, 4), ((4, 4), (2, 2))),
        ("pad-unshifted", (3, 9), ((4, 4), (0, 2))),
        ("roll-first", (3, 9), ((3, 4), (0, 2))),
    ],
)
def test_each_policy_decides_as_its_library(policy, grid, expected):
    """facts/semantics.md section 1, for a window of 4 and a shift of 2."""
    layout = BORDERS[policy](grid, (4, 4), (2, 2))
    assert (layout.window, layout.shift) == expected
    assert layout.grid == grid


@pytest.mark.parametrize("policy", MIXING_BORDERS)
@given(cut=cuts())
def test_a_shift_by_zeros_keeps_every_token_once_and_in_its_place(policy, cut):
    """Tokens share a window iff they share a cell of the grid cut at the shift; nothing comes round."""
    grid, window, _ = cut
    layout = MIXING_BORDERS[policy](*cut)
    x = labelled(grid)
    windows = layout.partition(x)
    assert layout.window == window
    assert sorted(windows[windows > 0].tolist()) == x.flatten().tolist()
    assert torch.equal(layout.merge(windows), x)
    places = layout.partition(places_of(grid) + 1)[0]
    cells = torch.div(places - 1 - torch.tensor(layout.shift), torch.tensor(window), rounding_mode="floor")
    for row, cell in zip(windows[0, ..., 0] > 0, cells, strict=True):
        assert len(cell[row].unique(dim=0)) <= 1


@given(cuts())
def test_a_shift_by_zeros_costs_one_window_along_each_shifted_axis_that_divides(cut):
    _, window, shift = cut
    grid = tuple(3 * w for w in window)
    counts = MIXING_BORDERS["clip"](grid, window, shift).counts
    assert counts == tuple(4 if s else 3 for s in shift)


def strangers(layout: RolledLayout) -> int:
    """Ordered pairs of real tokens that see each other though no window of the shifted grid holds both.

    Windows begin at the shift: two tokens are neighbours iff on every axis they are in one cell of that cut.
    """
    windows, mask = layout.partition(places_of(layout.grid) + 1)[0], layout.mask()
    mask = torch.zeros(1, 1, 1) if mask is None else mask
    width: Size = layout.window
    cell = torch.div(windows - 1 - torch.tensor(layout.shift), torch.tensor(width), rounding_mode="floor")
    real = (windows > 0).all(-1)
    apart = (cell[:, :, None] != cell[:, None]).any(-1) & real[:, :, None] & real[:, None]
    return int((apart & (mask == 0)).sum())


def too_far(layout: RolledLayout) -> int:
    """Ordered pairs of real tokens that see each other though they lie a window or more apart."""
    windows, mask = layout.partition(places_of(layout.grid) + 1)[0], layout.mask()
    mask = torch.zeros(1, 1, 1) if mask is None else mask
    real = (windows > 0).all(-1)
    distance = (windows[:, :, None] - windows[:, None]).abs()
    apart = (distance >= torch.tensor(layout.window)).any(-1) & real[:, :, None] & real[:, None]
    return int((apart & (mask == 0)).sum())

"""Masks: as many cells as stated, whole cells only, the same for all frames of a clip, and repeatable."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from swinkit.data.rng import draws
from swinkit.errors import UsageError
from swinkit.tasks.simmim.mask_generator import draw_masks, masks_of
from swinkit.tasks.simmim.settings import Masking

RATIOS = st.floats(0.01, 1.0)


def written_out(size: int, cell: int, patch: int, ratio: float, seed: int) -> np.ndarray:
    """SimMIM's generator (data/data_simmim.py), told again: cell by cell."""
    side, tokens = size // cell, cell // patch
    order = np.random.RandomState(seed).permutation(side * side)
    mask = np.zeros((size // patch, size // patch), dtype=bool)
    for chosen in order[: math.ceil(side * side * ratio)]:
        row, column = divmod(int(chosen), side)
        mask[row * tokens : (row + 1) * tokens, column * tokens : (column + 1) * tokens] = True
    return mask


@pytest.mark.parametrize(
    ("size", "cell", "patch", "ratio"),
    [
        (192, 32, 4, 0.6),
        (224, 32, 4, 0.6),
        (192, 16, 4, 0.5),
        (192, 64, 4, 0.75),
        (256, 8, 8, 0.1),
        (96, 32, 2, 1.0),
    ],
)
def test_published_masks_come_from_numpys_permutation(size: int, cell: int, patch: int, ratio: float):
    masking = Masking(patch=cell, ratio=ratio)
    order = np.random.RandomState(11).permutation((size // cell) ** 2)
    mask = masks_of(torch.from_numpy(order[None]), masking, (size, size), (patch, patch))
    assert np.array_equal(mask[0].numpy(), written_out(size, cell, patch, ratio, 11))


@given(cells=st.integers(1, 4000), ratio=RATIOS)
def test_the_share_is_rounded_up(cells: int, ratio: float):
    hidden = Masking(ratio=ratio).hidden_of(cells)
    assert hidden == math.ceil(cells * ratio)
    assert 1 <= hidden <= cells


@given(
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    patch=st.sampled_from([(1, 1), (2, 2), (4, 4), (2, 4), (3, 6)]),
    times=st.integers(1, 3),
    ratio=RATIOS,
    seed=st.integers(0, 99),
)
def test_whole_cells_are_hidden_and_as_many_as_stated_whatever_the_size(size, patch, times, ratio, seed):
    """The picture is covered from the near corner; what of a cell lies beyond the far end is cut off."""
    masking = Masking(patch=math.lcm(*patch) * times, ratio=ratio)
    mask = draw_masks([draws(seed)], masking, size, patch)[0]
    assert mask.shape == tuple(-(-side // p) for side, p in zip(size, patch, strict=True))
    rows, columns = (masking.patch // p for p in patch)
    cells = [part for row in mask.split(rows, 0) for part in row.split(columns, 1)]
    assert len(cells) == math.prod(-(-side // masking.patch) for side in size)
    assert all(cell.all() or not cell.any() for cell in cells)
    assert sum(bool(cell.any()) for cell in cells) == math.ceil(len(cells) * ratio)


@given(
    frames=st.integers(1, 9), size=st.tuples(st.integers(8, 40), st.integers(8, 40)), seed=st.integers(0, 99)
)
def test_every_frame_of_a_clip_has_the_mask_of_one_picture(frames: int, size: tuple[int, int], seed: int):
    masking = Masking(patch=8)
    clip = draw_masks([draws(seed)], masking, (frames, *size), (2, 4, 4))[0]
    picture = draw_masks([draws(seed)], masking, size, (4, 4))[0]
    assert len(clip) == -(-frames // 2)
    assert all(torch.equal(frame, picture) for frame in clip)


def test_a_signal_is_hidden_in_pieces_of_its_one_axis():
    mask = draw_masks([draws(0)], Masking(patch=8, ratio=0.5), (75,), (4,))
    assert mask.shape == (1, 19)
    pieces = mask[0].split(2)
    assert sum(bool(piece.all()) for piece in pieces) == 5
    assert sum(bool(piece.any()) for piece in pieces) == 5


def test_every_cell_is_hidden_as_often_as_any_other():
    masking = Masking(patch=8, ratio=0.6)
    masks = draw_masks([draws(i) for i in range(2000)], masking, (32, 32), (8, 8)).float()
    assert masks.sum((1, 2)).unique().tolist() == [10]
    assert (masks.mean(0) - 10 / 16).abs().max() < 0.05


def test_the_same_stream_gives_the_same_mask_and_another_another():
    masking = Masking(patch=4)
    one, again, other = (draw_masks([draws(0, epoch, "a")], masking, (64, 64), (4, 4)) for epoch in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"patch": 0}, "masking.patch is 0; it must be 1 pixel or more"),
        ({"ratio": 0.0}, "masking.ratio is 0.0"),
        ({"ratio": 1.1}, "masking.ratio is 1.1"),
        ({"target_window": 46}, "masking.target_window is 46; it must be null, or an odd number"),
        ({"target_window": 1}, "masking.target_window is 1"),
    ],
)
def test_what_describes_no_mask_is_refused(fields: dict, message: str):
    with pytest.raises(UsageError, match=message):
        Masking(**fields)


def test_masks_must_fit_the_model_and_leave_something_to_be_seen():
    Masking(patch=32).require_fits((192, 192), (4, 4))
    Masking(patch=8).require_fits((16, 32, 32), (2, 4, 4))
    with pytest.raises(
        UsageError, match=r"masking.patch is 30; .* a multiple of the model's patches, \(4, 4\)"
    ):
        Masking(patch=30).require_fits((192, 192), (4, 4))
    with pytest.raises(UsageError, match=r"masking.patch is 32; .* of 32 x 32 pixels .*: 0.6 of 1 are all"):
        Masking(patch=32).require_fits((32, 32), (4, 4))

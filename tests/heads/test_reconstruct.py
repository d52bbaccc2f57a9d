"""Features back to pixels, over any number of axes."""

import pytest
import torch
import torch.nn.functional as F

from swinkit.heads.reconstruct import ReconstructionHead


def test_each_tokens_channels_are_its_pixels_as_pixel_shuffle_lays_them_out():
    head = ReconstructionHead(8, 3, (4, 4))
    features = torch.randn(2, 5, 6, 8)
    channels = head.decoder(head.norm(features).movedim(-1, 1))
    torch.testing.assert_close(head(features), F.pixel_shuffle(channels, 4))


@pytest.mark.parametrize(
    ("stride", "grid", "size"),
    [((6,), (5,), (30,)), ((2, 3), (4, 5), (8, 15)), ((2, 4, 3), (2, 3, 5), (4, 12, 15))],
)
def test_every_token_fills_its_own_tile(
    stride: tuple[int, ...], grid: tuple[int, ...], size: tuple[int, ...]
):
    head = ReconstructionHead(8, 2, stride)
    features = torch.randn(1, *grid, 8)
    changed = features.clone()
    changed[(0, *(0 for _ in grid))] += torch.randn(8)
    before, after = head(features), head(changed)
    assert before.shape == (1, 2, *size)
    tile = (0, 0, *(slice(0, s) for s in stride))
    assert (after != before)[tile].all()
    assert (after != before).sum() == 2 * torch.tensor(stride).prod()

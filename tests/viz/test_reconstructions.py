"""Three pictures side by side: whole, with its hidden part covered, and with that part reconstructed."""

import numpy as np
import pytest
import torch

from swinkit.viz.overlays import HEIGHT
from swinkit.viz.reconstructions import GAP, HIDDEN, STRIP, draw_reconstruction


def draw(size: tuple[int, int], title: str = "cat.jpg") -> np.ndarray:
    """Return a card of one colour, its upper half hidden, reconstructed in another colour."""
    image = torch.full((3, *size), 77, dtype=torch.uint8)
    mask = torch.zeros(size, dtype=torch.bool)
    mask[: size[0] // 2] = True
    made = torch.where(mask, torch.tensor(200, dtype=torch.uint8), image)
    card = draw_reconstruction(image, mask, made, title=title, subtitle="50% hidden, off by 0.48")
    assert card.mode == "RGB"
    return np.asarray(card)


@pytest.mark.parametrize("size", [(32, 32), (192, 192), (40, 560), (560, 40)])
def test_each_part_shows_what_it_says(size: tuple[int, int]):
    card = draw(size)
    each = (card.shape[1] - 2 * GAP) // 3
    assert card.shape == (STRIP + HEIGHT, 3 * each + 2 * GAP, 3)
    whole, seen, made = (card[STRIP:, place * (each + GAP) :][:, :each] for place in range(3))
    shown = (whole == 77).all(-1).sum()
    assert shown > 0
    edge = 16 * max(whole.shape)  # pixels blended where the halves meet
    for part, colour in ((seen, HIDDEN), (made, (200, 200, 200))):
        assert abs((part == colour).all(-1).sum() - shown / 2) <= edge
        assert abs((part == 77).all(-1).sum() - shown / 2) <= edge


def test_long_names_stay_on_the_card():
    assert draw((560, 40), title="x" * 5000).shape == draw((560, 40)).shape

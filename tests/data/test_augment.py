"""Augmentation: what it does to pixels and labels; its draws follow from (seed, epoch, sample) alone."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from swinkit.data.augment import cutmixed, mirrored, shifted, uniform


def test_a_shift_moves_the_picture_and_zeros_move_in() -> None:
    images = torch.arange(1, 17, dtype=torch.uint8).reshape(1, 1, 4, 4)
    top_right = torch.tensor([[0.0, 0.999]])  # where the crop of the padded picture begins
    moved = shifted(images, top_right, 1)
    expected = torch.zeros(4, 4, dtype=torch.uint8)
    expected[1:, :3] = images[0, 0, :3, 1:]
    assert torch.equal(moved[0, 0], expected)


@given(
    draws=st.tuples(st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True)),
    most=st.integers(0, 5),
)
def test_every_shift_is_a_crop_of_the_padded_picture(draws: tuple[float, float], most: int) -> None:
    image = torch.randint(0, 256, (1, 3, 6, 7), dtype=torch.uint8)
    padded = torch.nn.functional.pad(image, (most,) * 4)
    crops = [padded[..., i : i + 6, j : j + 7] for i in range(2 * most + 1) for j in range(2 * most + 1)]
    moved = shifted(image, torch.tensor([draws], dtype=torch.float64), most)
    assert any(torch.equal(moved, crop) for crop in crops)


def test_only_the_chosen_are_mirrored() -> None:
    images = torch.arange(6, dtype=torch.uint8).reshape(2, 1, 1, 3)
    assert mirrored(images, torch.tensor([True, False])).flatten().tolist() == [2, 1, 0, 3, 4, 5]


@given(share=st.floats(0, 1), centre=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_cutmix_gives_labels_their_share_of_the_pixels(share: float, centre: tuple[float, float]) -> None:
    images = torch.stack([torch.zeros(1, 8, 10), torch.ones(1, 8, 10)])
    mixed, targets = cutmixed(images, torch.eye(2), torch.tensor(share), torch.tensor(centre))
    ones = mixed[0].mean()  # what the first picture got of the second
    torch.testing.assert_close(targets, torch.tensor([[1 - ones, ones], [ones, 1 - ones]]))


def test_draws_are_uniform_and_unrelated_between_samples_epochs_and_seeds() -> None:
    samples = torch.arange(20_000)
    draws = [uniform(samples, 3, seed=seed, epoch=epoch) for seed, epoch in ((0, 0), (0, 1), (1, 0))]
    columns = torch.cat([*draws, draws[0].roll(1, 0)], dim=1)
    assert columns.min() >= 0
    assert columns.max() < 1
    torch.testing.assert_close(
        columns.mean(0), torch.full((12,), 0.5, dtype=torch.float64), atol=0.01, rtol=0
    )
    torch.testing.assert_close(
        columns.var(0), torch.full((12,), 1 / 12, dtype=torch.float64), atol=0.002, rtol=0
    )
    assert (torch.corrcoef(columns.T) - torch.eye(12)).abs().max() < 0.03


def test_draws_do_not_depend_on_the_order_or_company_of_samples() -> None:
    together = uniform(torch.tensor([5, 9, 2]), 4, seed=7, epoch=3)
    assert torch.equal(together[1:2], uniform(torch.tensor([9]), 4, seed=7, epoch=3))

"""Masked image modelling as a task: what the loop minimises, how it is scored, what it answers."""

import json
from pathlib import Path

import pytest
import torch

from swinkit.data.preprocess import Preprocess
from swinkit.data.rng import draws
from swinkit.errors import DataError, UsageError
from swinkit.tasks.simmim.data import Batch
from swinkit.tasks.simmim.losses import locally_normed, masked_l1
from swinkit.tasks.simmim.mask_generator import draw_masks
from swinkit.tasks.simmim.metrics import Errors
from swinkit.tasks.simmim.model import SimMIM, spread_out
from swinkit.tasks.simmim.results import Reconstruction
from swinkit.tasks.simmim.settings import Masking
from tests.models.small import PIXELS, pixels, small, stirred

MASKING = Masking(patch=8)
FIT = Preprocess.to_crop(crop=(40, 56), resize=60, interpolation="bilinear")


def model_of(family: str = "v1", masking: Masking = MASKING, **changes: object) -> SimMIM:
    """Small, for pictures of 40 x 56 pixels."""
    return stirred(SimMIM(small(family, **changes), masking, FIT)).eval()


def batch_of(family: str = "v1", channels: int = 3, size: tuple[int, ...] | None = None) -> Batch:
    """Two inputs and their masks."""
    x = pixels(family, size, channels)
    axes = {"video": (2, 4, 4), "signal": (4,)}.get(family, (4, 4))
    return Batch(x, draw_masks([draws(0), draws(1)], MASKING, tuple(x.shape[2:]), axes))


def photo(height: int = 60, width: int = 90) -> torch.Tensor:
    """Shades from corner to corner."""
    rows, columns = torch.arange(height)[:, None], torch.arange(width)[None]
    return torch.stack(
        [(rows * 4 + 0 * columns) % 256, (columns * 2 + 0 * rows) % 256, (rows + columns) % 256]
    ).to(torch.uint8)


@pytest.mark.parametrize("family", ["v1", "v2", "mlp", "video", "signal"])
def test_the_loss_is_the_error_of_what_was_hidden(family: str):
    model, batch = model_of(family), batch_of(family)
    losses = model.losses(batch)
    assert set(losses) == {"l1"}
    hidden = model.pixel_mask(batch.mask, batch.pixels)
    assert hidden.shape == (2, 1, *PIXELS[family])
    expected = masked_l1(model(batch.pixels, batch.mask), batch.pixels, hidden)
    torch.testing.assert_close(losses["l1"], expected)
    losses["l1"].backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("size", [(32, 48), (45, 31)])
def test_any_number_of_channels_and_any_size(channels: int, size: tuple[int, int]):
    model, batch = model_of(in_channels=channels), batch_of("v1", channels, size)
    assert model(batch.pixels, batch.mask).shape == (2, channels, *size)
    model.losses(batch)["l1"].backward()
    assert model.scores(model.observe(batch))["l1"] > 0


@torch.no_grad()
def test_clips_are_masked_by_tubes_and_hidden_frames_are_not_seen():
    model, batch = model_of("video"), batch_of("video")
    hidden = model.pixel_mask(batch.mask, batch.pixels).bool()
    assert all(torch.equal(hidden[:, :, 0], hidden[:, :, i]) for i in range(hidden.shape[2]))
    stirred_up = torch.where(hidden, torch.randn_like(batch.pixels), batch.pixels)
    assert torch.equal(model(batch.pixels, batch.mask), model(stirred_up, batch.mask))


def test_a_few_steps_lower_the_loss_and_raise_the_score():
    torch.manual_seed(0)
    model = SimMIM(small(embed_dim=24), MASKING, FIT).train()
    x = torch.nn.functional.interpolate(torch.randn(8, 3, 2, 2), (32, 32), mode="bilinear")
    batch = Batch(x, draw_masks([draws(i) for i in range(8)], MASKING, (32, 32), (4, 4)))
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    before = model.scores(model.observe(batch))
    for _ in range(25):
        sum(model.losses(batch).values()).backward()
        optimiser.step()
        optimiser.zero_grad()
    after = model.scores(model.observe(batch))
    assert after["l1"] < 0.7 * before["l1"]
    assert after["explained"] > before["explained"] + 0.2


def test_scores_are_of_all_batches():
    model = model_of()
    first, second = batch_of(size=(40, 56)), batch_of(size=(32, 32))
    scores = model.scores(model.observe(first) + model.observe(second).at(2))
    assert list(scores) == ["explained", "l1"]
    with torch.no_grad():
        parts = [
            (model(b.pixels, b.mask) - b.pixels)[
                model.pixel_mask(b.mask, b.pixels).bool().expand_as(b.pixels)
            ].abs()
            for b in (first, second)
        ]
    assert scores["l1"] == pytest.approx(torch.cat(parts).mean().item(), rel=1e-5)
    assert model.scores(model.observe(first))["l1"] == pytest.approx(parts[0].mean().item(), rel=1e-5)


def test_explained_is_one_for_the_truth_and_zero_for_the_mean():
    target, mask = torch.randn(2, 3, 8, 8), torch.zeros(2, 1, 8, 8)
    mask[:, :, :5] = 1
    assert Errors.of(target, target, mask).explained == 1
    assert Errors.of(torch.zeros_like(target), target, mask).explained == 0
    assert Errors.of(-target, target, mask).explained == pytest.approx(-1)
    halves = [Errors.of(target[i : i + 1] / 2, target[i : i + 1], mask[i : i + 1]) for i in range(2)]
    assert (halves[0] + halves[1]).explained == pytest.approx(0.5)
    assert (halves[0] + halves[1]).count == 2 * 3 * 5 * 8
    assert (Errors().l1, Errors().explained) == (0, 0)


def test_half_precision_is_scored_in_fp32():
    model, batch = model_of(), batch_of()
    with torch.autocast("cpu", torch.bfloat16):
        loss = model.losses(batch)["l1"]
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, model.losses(batch)["l1"], rtol=0.02, atol=0.02)


def test_an_answer_shows_the_picture_the_mask_and_the_reconstruction():
    result = model_of().predict(photo())
    assert isinstance(result, Reconstruction)
    assert (result.name, result.size) == ("image", (60, 90))
    assert result.image.shape == result.reconstruction.shape == (3, 40, 56)
    assert torch.equal(result.image, FIT.fit(photo()))
    assert result.hidden == pytest.approx(21 / 35)
    assert torch.equal(result.completed[:, ~result.mask], result.image[:, ~result.mask])
    assert torch.equal(result.completed[:, result.mask], result.reconstruction[:, result.mask])
    difference = (result.image.float() - result.reconstruction.float())[:, result.mask].abs().mean() / 255
    assert result.error == pytest.approx(difference.item(), rel=1e-5)


def test_answers_are_alone_as_in_company_and_hide_by_seed_and_place():
    model, pictures = model_of(), [photo(), photo(80, 70), photo()]
    several = model.predict(pictures, batch_size=2)
    stream = list(model.predict(iter(pictures), batch_size=3))
    for one, other in zip(several, stream, strict=True):
        assert torch.equal(one.mask, other.mask)
        assert (one.reconstruction.int() - other.reconstruction.int()).abs().max() <= 1
    assert torch.equal(model.predict(pictures[0]).mask, several[0].mask)
    assert not torch.equal(several[0].mask, several[2].mask)
    assert not torch.equal(model.predict(pictures[0], seed=1).mask, several[0].mask)


def test_a_perfect_reconstruction_of_normed_pixels_is_the_picture_again():
    """What is normed by the pixels around each is shown with their true mean and spread."""
    model = model_of(masking=Masking(patch=8, target_window=5))
    image = FIT.fit(photo())
    x = FIT.normalise(image)[None]
    shown = FIT.as_images(model.in_units(locally_normed(x, 5), x))
    assert (shown[0].int() - image.int()).abs().max() <= 1


def test_raw_numbers_are_shown_by_how_far_they_lie_from_their_mean():
    assert spread_out(torch.tensor([-9.0, -2.0, 0.0, 1.0, 2.0, 9.0])).tolist() == [0, 0, 128, 191, 255, 255]


def test_models_that_take_no_pictures_and_masks_that_hide_all_are_refused():
    with pytest.raises(UsageError, match="this model takes clips or volumes"):
        model_of("video").predict(photo())
    with pytest.raises(UsageError, match="this model takes 1 channels"):
        model_of(in_channels=1).predict(photo())
    with pytest.raises(UsageError, match=r"masking.patch is 64"):
        model_of(masking=Masking(patch=64)).predict(photo())


def test_damaged_weights_are_told():
    model = model_of()
    with torch.no_grad():
        model.head.decoder.bias[0] = torch.nan
    with pytest.raises(DataError, match="the reconstruction is not finite"):
        model.predict(photo())


def test_a_result_prints_draws_and_saves_itself(tmp_path: Path):
    image = torch.full((3, 8, 8), 100, dtype=torch.uint8)
    mask = torch.zeros(8, 8, dtype=torch.bool)
    mask[:6] = True
    result = Reconstruction(
        name="photos/cat.jpg", size=(30, 45), image=image, mask=mask, reconstruction=image + 51
    )
    assert str(result) == "photos/cat.jpg 45x30  75% hidden, off by 0.20"
    assert json.loads(json.dumps(result.to_json())) == {
        "name": "photos/cat.jpg",
        "image": {"width": 45, "height": 30},
        "hidden": 0.75,
        "error": pytest.approx(0.2),
    }
    assert "tensor" not in repr(result)
    result.save(tmp_path / "made.png")
    assert (tmp_path / "made.png").stat().st_size > 1000

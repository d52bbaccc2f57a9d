"""RandAugment: each operation gives timm's pixels, and all together timm's distribution."""

import random

import pytest
import torch
from PIL import Image

from swinkit.data.randaugment import OPERATIONS, Style, apply_operation, posterise, rand_augment
from swinkit.data.sample import Sample

FILL = (124, 116, 104)
TWINS = {
    "autocontrast": "AutoContrast",
    "equalise": "Equalize",
    "invert": "Invert",
    "rotate": "Rotate",
    "posterise": "PosterizeIncreasing",
    "solarise": "SolarizeIncreasing",
    "solarise-add": "SolarizeAdd",
    "colour": "ColorIncreasing",
    "contrast": "ContrastIncreasing",
    "brightness": "BrightnessIncreasing",
    "sharpness": "SharpnessIncreasing",
    "shear-x": "ShearX",
    "shear-y": "ShearY",
    "translate-x": "TranslateXRel",
    "translate-y": "TranslateYRel",
}
HPARAMS = {"img_mean": FILL, "interpolation": Image.Resampling.BICUBIC}


class Chosen(random.Random):
    """A stream that says one number."""

    def __init__(self, number: float):
        super().__init__(0)
        self.number = number

    def random(self) -> float:
        """Return the number."""
        return self.number


@pytest.fixture
def image():
    """Return a smooth picture with noise on it."""
    ramp = torch.linspace(20, 220, 24)
    noise = torch.randint(0, 30, (20, 24, 3))
    pixels = (torch.stack([ramp, ramp.flip(0), ramp * 0.7], -1)[None] + noise).to(torch.uint8)
    return Image.fromarray(pixels.numpy())


def test_the_operations_are_timms():
    import timm.data.auto_augment as timm_augment

    theirs = set(timm_augment._RAND_INCREASING_TRANSFORMS)
    assert set(OPERATIONS) == set(TWINS)
    assert set(TWINS.values()) == theirs
    assert len(OPERATIONS) == len(set(OPERATIONS)) == 15


@pytest.mark.parametrize("negative", [False, True])
@pytest.mark.parametrize("magnitude", [0.0, 3.3, 9.0, 9.99])
@pytest.mark.parametrize("name", TWINS)
def test_an_operation_gives_timms_pixels(name, magnitude, negative, image, monkeypatch):
    # timm turns a value's sign above one half, ours below: the same in distribution
    import timm.data.auto_augment as timm_augment

    monkeypatch.setattr(timm_augment.random, "random", lambda: 0.9 if negative else 0.1)
    theirs = timm_augment.AugmentOp(TWINS[name], prob=1.0, magnitude=magnitude, hparams=HPARAMS)(image)
    stream, style = Chosen(0.1 if negative else 0.9), Style("bicubic", FILL)
    ours, _ = apply_operation(name, image, magnitude / 10, stream, style)
    assert ours.tobytes() == theirs.tobytes()


def test_no_bits_leave_black(image):
    assert posterise(image, 0).getextrema() == ((0, 0),) * 3
    assert posterise(image, 8).tobytes() == image.tobytes()


def test_pictures_are_distributed_as_timms(image):
    """Means, spreads and what stays unchanged, over 3000 pictures each."""
    import timm.data.auto_augment as timm_augment

    random.seed(0)
    torch.manual_seed(0)
    hparams = {**HPARAMS, "magnitude_std": 0.5}
    names = [name for name in TWINS.values() if name != "PosterizeIncreasing"]  # Pillow refuses its 0 bits
    operations = [timm_augment.AugmentOp(name, prob=0.5, magnitude=9, hparams=hparams) for name in names]
    theirs = timm_augment.RandAugment(operations, 2)
    pixels = (
        torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).reshape(20, 24, 3).permute(2, 0, 1)
    )
    stream, style = random.Random(0), Style("bicubic", FILL)
    found = [[], []]
    for _ in range(3000):
        ours = rand_augment(Sample("", pixels, {}), 2, 9.0, 0.5, stream, style).image
        found[0].append(ours.permute(1, 2, 0).contiguous().numpy().tobytes())
        found[1].append(theirs(image).tobytes())
    whole = image.tobytes()
    unchanged = [sum(each == whole for each in results) / 3000 for results in found]
    assert abs(unchanged[0] - unchanged[1]) < 0.03
    for statistic in (lambda x: x.mean(), lambda x: x.std()):
        values = [
            torch.stack(
                [statistic(torch.frombuffer(bytearray(x), dtype=torch.uint8).double()) for x in results]
            )
            for results in found
        ]
        quantiles = [v.quantile(torch.tensor([0.1, 0.25, 0.5, 0.75, 0.9]).double()) for v in values]
        torch.testing.assert_close(quantiles[0], quantiles[1], atol=4.0, rtol=0.05)


def test_operations_are_chosen_alike_and_half_of_them_done(image, monkeypatch):
    called = []
    monkeypatch.setattr(
        "swinkit.data.randaugment.apply_operation", lambda name, image, *_: called.append(name) or (image, {})
    )
    sample = Sample("", torch.zeros(3, 4, 4, dtype=torch.uint8), {})
    stream = random.Random(0)
    for _ in range(3000):
        rand_augment(sample, 2, 9.0, 0.5, stream, Style("bicubic", FILL))
    counts = [called.count(name) for name in OPERATIONS]
    assert 2850 < sum(counts) < 3150
    assert min(counts) > 150
    assert max(counts) < 250


@pytest.mark.parametrize(
    ("magnitude", "spread", "expected"), [(9.0, 0.0, 0.9), (30.0, 0.0, 1.0), (0.0, 0.0, 0.0)]
)
def test_magnitudes_are_held_to_their_range(magnitude, spread, expected, monkeypatch):
    levels = []
    monkeypatch.setattr(
        "swinkit.data.randaugment.apply_operation",
        lambda name, image, level, *_: levels.append(level) or (image, {}),
    )
    sample = Sample("", torch.zeros(3, 4, 4, dtype=torch.uint8), {})
    rand_augment(sample, 9, magnitude, spread, random.Random(0), Style("bilinear", FILL))
    assert set(levels) == {expected}

"""Boxes and masks of a target move with the image, through every augmentation."""

import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from swinkit.data.augment import augment, shift
from swinkit.data.preprocess import Preprocess
from swinkit.data.randaugment import OPERATIONS, Style, apply_operation, rand_augment
from swinkit.data.rng import draws
from swinkit.data.sample import IGNORED, Sample
from swinkit.data.transform import remove_invisible, seeded, warp_sample
from swinkit.tasks.classification.settings import Augmentation

PLAIN = {"scale": None, "flip": 0.0, "operations": 0, "erase": 0.0, "mixup": 0.0, "cutmix": 0.0}
GEOMETRIC = ("rotate", "shear-x", "shear-y", "translate-x", "translate-y")


def boxes_of(boxes, size):
    """Return boxes as a tv_tensor."""
    return tv_tensors.BoundingBoxes(torch.tensor(boxes, dtype=torch.float32), format="XYXY", canvas_size=size)  # pyright: ignore[reportCallIssue]


def marked(height, width, box):
    """Return a black image with one white rectangle; the target has its box, mask and classes of pixels."""
    x1, y1, x2, y2 = box
    mask = torch.zeros(height, width, dtype=torch.uint8)
    mask[y1:y2, x1:x2] = 1
    target = {
        "boxes": boxes_of([box], (height, width)),
        "labels": torch.tensor([7]),
        "masks": tv_tensors.Mask(mask[None]),
        "mask": tv_tensors.Mask(mask),
    }
    return Sample("a", (mask * 255).expand(3, -1, -1).contiguous(), target)


@st.composite
def marks(draw):
    """Return an image with a rectangle of at least 8 x 8 pixels somewhere."""
    height, width = draw(st.integers(24, 60)), draw(st.integers(24, 60))
    y1, x1 = draw(st.integers(0, height - 8)), draw(st.integers(0, width - 8))
    return marked(
        height, width, (x1, y1, draw(st.integers(x1 + 8, width)), draw(st.integers(y1 + 8, height)))
    )


def assert_follows(sample, tolerance=1.0, tight=True):
    """Check that image, masks and box have their white pixels at the same place, or none."""
    rows, columns = (sample.image[0] > 127).nonzero(as_tuple=True)
    target = sample.target
    size = tuple(sample.image.shape[-2:])
    assert target["boxes"].canvas_size == size
    assert tuple(target["mask"].shape) == tuple(target["masks"].shape[1:]) == size
    assert len(target["boxes"]) == len(target["labels"]) == len(target["masks"])
    if not len(target["boxes"]):
        assert len(rows) == 0 or min(rows.max() - rows.min(), columns.max() - columns.min()) <= 2 * tolerance
        return
    box = target["boxes"][0].tolist()
    assert box[0] >= 0
    assert box[1] >= 0
    assert box[2] <= size[1]
    assert box[3] <= size[0]
    for mask in (target["masks"][0], target["mask"]):
        wrong = ((sample.image[0] > 127) != (mask == 1)).sum()
        assert wrong <= 2 * tolerance * sum(size)
    if not len(rows):
        return
    white = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    for i, (edge, at) in enumerate(zip(white, box, strict=True)):
        outside = at - edge if i < 2 else edge - at
        assert outside <= tolerance + 0.5
        if tight:
            assert abs(edge - at) <= tolerance + 0.5


@settings(max_examples=60)
@given(sample=marks(), seed=st.integers(0, 1000), most=st.integers(0, 30))
def test_through_shifts(sample, seed, most):
    assert_follows(shift(sample, most, random.Random(seed)), tolerance=0)


@settings(max_examples=60)
@given(sample=marks(), seed=st.integers(0, 1000), low=st.floats(0.1, 1.0))
def test_through_random_crops_and_flips(sample, seed, low):
    fit = Preprocess.to_crop(crop=(40, 56), resize=None, interpolation="bilinear")
    chosen = Augmentation(**{**PLAIN, "scale": (low, 1.0), "flip": 0.5})
    made = augment(sample, chosen, fit, random.Random(seed))
    assert_follows(made, tolerance=3.5)  # a pixel of the crop may become several


@settings(max_examples=60)
@given(sample=marks(), resize=st.sampled_from([None, 56, 64]))
def test_through_the_preprocessing(sample, resize):
    fit = Preprocess.to_crop(crop=(40, 56), resize=resize, interpolation="bilinear")
    assert_follows(augment(sample, Augmentation(**PLAIN), fit, random.Random(0)), tolerance=3)


@pytest.mark.parametrize("name", OPERATIONS)
@settings(max_examples=25)
@given(sample=marks(), seed=st.integers(0, 1000), level=st.floats(0, 1))
def test_through_each_operation_of_randaugment(name, sample, seed, level):
    style = Style("bilinear", (0, 0, 0))
    image = F.to_pil_image(sample.image)
    made, target = apply_operation(name, image, level, random.Random(seed), style, sample.target)
    if name in GEOMETRIC:
        # The box around a turned rectangle's box is larger than the pixels; where it was cut off, too.
        assert_follows(Sample("a", F.pil_to_tensor(made), target), tolerance=1.5, tight="translate" in name)
    else:
        assert target is sample.target


def test_through_randaugment_as_a_whole():
    for seed in range(60):
        sample = marked(48, 64, (20, 15, 40, 33))
        made = rand_augment(sample, 2, 9.0, 0.5, random.Random(seed), Style("bilinear", (0, 0, 0)))
        assert made.target["mask"].shape == made.image.shape[-2:]
        assert len(made.target["boxes"]) == len(made.target["labels"]) == len(made.target["masks"])


def test_pixels_that_move_in_have_no_class_and_belong_to_no_object():
    moved = shift(marked(8, 8, (0, 0, 8, 8)), 3, random.Random(1))
    new = moved.image[0] == 0
    assert new.any()
    assert (moved.target["mask"][new] == IGNORED).all()
    assert (moved.target["masks"][0][new] == 0).all()


def test_objects_that_leave_the_image_go_with_all_that_is_theirs():
    target = {
        "boxes": boxes_of([[-5, 2, 3, 6], [20, 2, 30, 6], [9.5, 0, 12, 8], [1, 1, 4, 4]], (8, 10)),
        "labels": torch.tensor([1, 2, 3, 4]),
        "masks": tv_tensors.Mask(torch.ones(4, 8, 10)),
        "mask": tv_tensors.Mask(torch.ones(4, 10)),
        "names": "abcd",
        "size_of_four_axes": torch.arange(4),  # as long as there are boxes, but not of the objects
    }
    left = remove_invisible(target)
    assert left["boxes"].tolist() == [[0, 2, 3, 6], [1, 1, 4, 4]]  # one of half a pixel is gone, too
    assert isinstance(left["boxes"], tv_tensors.BoundingBoxes)
    assert left["labels"].tolist() == [1, 4]
    assert left["masks"].shape == (2, 8, 10)
    assert left["mask"] is target["mask"]
    assert left["names"] == "abcd"
    assert left["size_of_four_axes"] is target["size_of_four_axes"]


def test_a_target_of_plain_values_stays_as_it_is():
    sample = Sample("a", torch.zeros(3, 4, 4), {"label": 3})
    assert warp_sample(sample, lambda value, fill: value + fill, 5).target is sample.target


def test_torchvisions_transforms_follow_from_the_stream_and_leave_torchs_own_numbers():
    change = v2.Compose([v2.RandomResizedCrop(8), v2.RandomHorizontalFlip(), v2.ColorJitter(0.4)])
    image, found = torch.randint(0, 256, (3, 20, 20), dtype=torch.uint8), []
    for start in (1, 2):
        torch.manual_seed(start)
        before = torch.get_rng_state()
        for name in ("a", "a", "b"):
            with seeded(draws(0, 0, name)):
                found.append(change(image))
        assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(found[0], found[i]) for i in (1, 3, 4))
    assert torch.equal(found[2], found[5])
    assert not torch.equal(found[0], found[2])


def test_torchs_own_numbers_are_restored_after_an_error():
    before = torch.get_rng_state()
    with pytest.raises(ValueError, match="x"), seeded(random.Random(0)):
        raise ValueError("x")
    assert torch.equal(torch.get_rng_state(), before)

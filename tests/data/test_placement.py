"""Answers come back in pixels of the original, whatever a preprocessing did."""

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close
from torchvision import tv_tensors

from swinkit.data.fitting import FitWithin, ResizeCrop, SampleFrames, fit_parts, stack_padded
from swinkit.data.placement import Placement
from swinkit.data.preprocess import Preprocess
from swinkit.data.sample import IGNORED, Sample
from swinkit.errors import DataError, UsageError

SIDES = st.one_of(st.integers(1, 8), st.integers(9, 200))
PARTS = (
    ResizeCrop(resize=24, crop=(16, 20)),
    ResizeCrop(crop=(17, 31), resize=None),
    FitWithin(shorter=20, longest=33, multiple=8),
    FitWithin(shorter=64, longest=64),
)
PIPELINE = Preprocess(parts=(SampleFrames(count=4), PARTS[2]), mean=(0.5,), std=(0.25,), axes=3)


def image_of(height, width):
    """(1, h, w) float32 noise."""
    return torch.rand(1, height, width, generator=torch.Generator().manual_seed(height * 1000 + width))


def boxes_of(boxes, size):
    """Return boxes as a tv_tensor."""
    return tv_tensors.BoundingBoxes(torch.tensor(boxes), format="XYXY", canvas_size=size)  # pyright: ignore[reportCallIssue]


@given(height=SIDES, width=SIDES, part=st.sampled_from(PARTS), data=st.data())
def test_a_box_that_the_model_sees_whole_comes_back_to_the_same_pixels(height, width, part, data):
    x1, x2 = sorted(data.draw(st.tuples(st.floats(0, width), st.floats(0, width))))
    y1, y2 = sorted(data.draw(st.tuples(st.floats(0, height), st.floats(0, height))))
    box, size = torch.tensor([[x1, y1, x2, y2]]), (height, width)
    target = {"boxes": boxes_of(box.tolist(), size), "labels": torch.tensor([1])}
    fitted, placement = part.fit(Sample("a", image_of(height, width), target))
    assert placement.original == size
    assert placement.fitted == tuple(fitted.image.shape[-2:])
    y, x = placement.scale
    inside = box * torch.tensor([x, y, x, y]) + torch.tensor(placement.offset[::-1] * 2)
    tolerance = 1e-5 * max(height, width, *placement.fitted) / min(1, y, x) + 1e-4
    assert_close(placement.undo_points(inside.view(2, 2)).view(1, 4), box, atol=tolerance, rtol=1e-5)
    whole = (inside >= 0).all() and (inside <= torch.tensor(placement.fitted[::-1] * 2)).all()
    if whole and len(fitted.target["boxes"]):
        back = placement.undo(fitted.target["boxes"])
        assert isinstance(back, tv_tensors.BoundingBoxes)
        assert back.canvas_size == size
        assert_close(back.as_subclass(torch.Tensor), box, atol=tolerance, rtol=1e-5)


@given(height=SIDES, width=SIDES, part=st.sampled_from(PARTS))
def test_every_pixel_that_the_model_sees_comes_back_to_its_place(height, width, part):
    rows = torch.arange(height, dtype=torch.float32).view(-1, 1).expand(height, width)
    columns = torch.arange(width, dtype=torch.float32).expand(height, width)
    image = torch.stack([rows, columns])
    _, placement = part.fit(Sample("a", image, {}))
    fitted_rows, fitted_columns = (torch.arange(side, dtype=torch.float32) + 0.5 for side in placement.fitted)
    y, x = placement.scale
    seen = torch.stack(
        [
            ((fitted_rows - placement.offset[0]) / y - 0.5).view(-1, 1).expand(placement.fitted),
            ((fitted_columns - placement.offset[1]) / x - 0.5).expand(placement.fitted),
        ]
    )
    back = placement.undo_map(seen, fill=-1e6)
    known = back[0] > -1e5
    wrong = torch.maximum((back[0] - rows).abs() * y, (back[1] - columns).abs() * x)
    assert back.shape == image.shape
    assert known.all() or isinstance(part, ResizeCrop)  # which cuts off
    assert (wrong[known] <= 0.5 + 1e-3).all()  # fitted pixels: the nearest one


def test_a_map_of_the_original_size_comes_back_unchanged_and_a_smaller_one_smoothly():
    values = torch.rand(2, 5, 7)
    same = Placement((5, 7), (5, 7))
    assert torch.equal(same.undo_map(values), values)
    assert_close(same.undo_map(values, mode="bilinear"), values)
    half = Placement.of(torch.empty(1, 10, 14)).resize(5, 7)
    expected = torch.nn.functional.interpolate(values[None], (10, 14), mode="bilinear")[0]
    assert_close(half.undo_map(values, mode="bilinear"), expected)


def test_what_was_cut_off_is_filled_and_padding_left_out():
    image = torch.zeros(1, 8, 12)
    _, cropped = ResizeCrop(resize=8, crop=(8, 8)).fit(Sample("a", image, {}))
    back = cropped.undo_map(torch.ones(8, 8), fill=255)
    assert back.shape == (8, 12)
    assert back[0].tolist() == [255] * 2 + [1] * 8 + [255] * 2
    classes, objects = (tv_tensors.Mask(torch.ones(*each, 8, 8, dtype=torch.uint8)) for each in ((), (1,)))
    assert cropped.undo(classes)[0].tolist() == [IGNORED] * 2 + [1] * 8 + [IGNORED] * 2
    assert cropped.undo(objects)[0, 0].tolist() == [0] * 2 + [1] * 8 + [0] * 2
    with pytest.raises(TypeError, match=r"bilinear takes floating-point numbers, got torch\.int64"):
        cropped.undo_map(torch.ones(8, 8, dtype=torch.long), mode="bilinear")
    _, whole = FitWithin(shorter=4, longest=6).fit(Sample("a", image, {}))
    padded = torch.full((8, 8), 9.0)
    padded[:4, :6] = 1
    assert whole.undo_map(padded).eq(1).all()


def test_masks_and_points_come_back_as_what_they_are():
    _, placement = ResizeCrop(crop=(4, 4), resize=None).fit(Sample("a", torch.zeros(1, 8, 12), {}))
    mask = placement.undo(tv_tensors.Mask(torch.eye(4, dtype=torch.uint8)[None]))
    assert isinstance(mask, tv_tensors.Mask)
    assert mask.shape == (1, 8, 12)
    points = tv_tensors.KeyPoints(torch.tensor([[2.0, 2.0]]), canvas_size=(4, 4))  # pyright: ignore[reportCallIssue]
    assert placement.undo(points).tolist() == [[6.0, 4.0]]
    corner = torch.tensor([[1.0, 1.0, 2.0, 2.0]])
    boxes = tv_tensors.BoundingBoxes(corner, format="XYWH", canvas_size=(4, 4))  # pyright: ignore[reportCallIssue]
    assert placement.undo(boxes).tolist() == [[3.0, 2.0, 6.0, 4.0]]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((480, 640), (800, 1067)),
        ((640, 480), (1067, 800)),
        ((100, 1000), (133, 1333)),
        ((1, 5000), (1, 1333)),
    ],
)
def test_sides_within_limits_are_rounded_as_mmdetections(size, expected):
    assert FitWithin(shorter=800, longest=1333).size_of(*size) == expected


@given(
    sizes=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=4),
    multiple=st.integers(1, 5),
    fill=st.sampled_from([0, 7]),
)
def test_images_of_any_sizes_are_padded_right_and_below_to_a_multiple(sizes, multiple, fill):
    images = [torch.full((3, *size), 10 + number) for number, size in enumerate(sizes)]
    batch = stack_padded(images, multiple, fill)
    for side, longest in zip(batch.shape[-2:], map(max, zip(*sizes, strict=True)), strict=True):
        assert side % multiple == 0
        assert longest <= side < longest + multiple
    for place, image, (height, width) in zip(batch, images, sizes, strict=True):
        assert torch.equal(place[:, :height, :width], image)
        assert (place[:, height:] == fill).all()
        assert (place[:, :, width:] == fill).all()


def test_a_clip_is_fitted_frame_by_frame_and_the_frames_are_told():
    clip = torch.rand(1, 9, 20, 30)
    fitted, placement = fit_parts(PIPELINE.parts, Sample("a", clip, {}))
    assert placement.frames == (1, 3, 5, 7)
    assert fitted.image.shape == (1, 4, 20, 30)
    assert torch.equal(fitted.image, clip[:, [1, 3, 5, 7]])
    assert PIPELINE.normalise(fitted.image).shape == fitted.image.shape


@pytest.mark.parametrize("crop", [(8, 8), (2, 8, 8)])
@pytest.mark.parametrize("resize", [None, 9])
def test_the_preprocessing_of_a_whole_image_is_such_parts(crop, resize):
    preprocess, image = Preprocess.to_crop(crop=crop, resize=resize), torch.rand(3, *crop[:-2], 21, 30)
    sample, placement = preprocess.fit_sample(Sample("a", image, {}))
    assert torch.equal(sample.image, preprocess.fit(image))
    assert placement.original == (21, 30)
    assert placement.fitted == (8, 8)


def test_a_volume_is_normalised_by_channel_not_by_slice():
    volume = torch.rand(2, 2, 5, 7)
    pipeline = Preprocess(parts=(), mean=(0.1, 0.9), std=(1.0, 1.0), axes=3)
    found = pipeline.normalise(volume)
    torch.testing.assert_close(found, volume - torch.tensor([0.1, 0.9])[:, None, None, None])


@pytest.mark.parametrize("parts", [PARTS, PIPELINE.parts])
def test_parts_are_saved_and_read_again(parts):
    pipeline = Preprocess(parts=parts, axes=3)
    text = json.dumps(pipeline.to_json())
    assert Preprocess.from_json(json.loads(text)) == pipeline
    assert json.loads(text)["version"] == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 3}, "version 3; this swinkit reads 1 and 2"),
        ({"parts": [{"part": "twirl"}]}, "unknown part 'twirl'; expected one of resize_crop, fit_within"),
        ({"parts": ["fit_within"]}, "unknown part None"),
        ({"parts": [{"part": []}]}, r"unknown part \[\]"),
        ({"parts": [{"part": "sample_frames"}]}, "part 'sample_frames': 'count' is missing"),
        ({"parts": [{"part": "sample_frames", "count": 0}]}, "part 'sample_frames': count is 0; it must be"),
        ({"parts": 3}, "parts is 3; it must be"),
        ({"colour": 3}, "'colour' is not known"),
        ({"std": [0.0]}, "std is"),
        ({"axes": 2}, "axes is 2; it must be 3 where a part takes frames"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(change, message):
    with pytest.raises(DataError, match=f"^preprocess.json: {message}") as caught:
        Preprocess.from_json(PIPELINE.to_json() | change)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "values", "named"),
    [
        (FitWithin, {"shorter": 0, "longest": 9}, "shorter"),
        (FitWithin, {"shorter": 9, "longest": 8}, "longest"),
        (FitWithin, {"shorter": 9, "longest": 9, "multiple": 1.5}, "multiple"),
        (FitWithin, {"shorter": 9, "longest": 9, "interpolation": "nearest"}, "interpolation"),
        (ResizeCrop, {"resize": 9, "crop": (9, 10)}, "resize"),
        (ResizeCrop, {"resize": 9, "crop": (9,)}, "crop"),
        (ResizeCrop, {"crop": (0, 4), "resize": None}, "crop"),
        (SampleFrames, {"count": True}, "count"),
    ],
)
def test_parts_that_mean_nothing_are_refused_by_name(kind, values, named):
    with pytest.raises(UsageError, match=f"^{named} is .*; it must be"):
        kind(**values)

"""A clip is a folder of frames in the order of their numbers."""

import random

import pytest
import torch
from PIL import Image

from swinkit.data.augment import augment
from swinkit.data.find_dataset import find_inputs
from swinkit.data.fitting import middles
from swinkit.data.images import ImageError
from swinkit.data.preprocess import Preprocess
from swinkit.data.sample import Sample
from swinkit.errors import DataError
from swinkit.tasks.classification.settings import Augmentation

from .layouts import zipped

FRAMES = 11
WANTED = Preprocess.to_crop(crop=(4, 8, 8), resize=8)


@pytest.fixture
def root(tmp_path):
    """Two clips to learn from, one to be watched; frame i has the colour i."""
    for split, count in (("train", 2), ("val", 1)):
        for clip in range(count):
            folder = tmp_path / split / f"clip{clip}"
            folder.mkdir(parents=True)
            for i in range(FRAMES):
                Image.new("RGB", (10, 9), (i, 100 + clip, 0)).save(folder / f"frame{i}.png")
    return tmp_path


@pytest.mark.parametrize("place", [lambda root: root, zipped], ids=["folder", "zip"])
def test_frames_come_in_the_order_of_their_numbers(root, place):
    found = find_inputs(place(root), WANTED, "train")
    assert list(found.ids) == ["train/clip0", "train/clip1"]
    clip = found[1].image
    assert clip.shape == (3, FRAMES, 9, 10)
    assert clip[0, :, 0, 0].tolist() == list(range(FRAMES))
    assert set(clip[1].flatten().tolist()) == {101}


def test_a_fingerprint_tells_that_a_frame_came_or_changed(root):
    before = find_inputs(root, WANTED, "train")
    assert find_inputs(root, WANTED, "train").fingerprint == before.fingerprint
    last = root / "train" / "clip1" / f"frame{FRAMES}.png"
    Image.new("RGB", (10, 9)).save(last)
    more = find_inputs(root, WANTED, "train")
    assert more.fingerprint != before.fingerprint
    assert more.written == last.stat().st_mtime_ns
    last.unlink()
    Image.effect_noise((10, 9), 90).convert("RGB").save(root / "train" / "clip1" / "frame3.png")
    assert find_inputs(root, WANTED, "train").fingerprint not in (before.fingerprint, more.fingerprint)


def test_frames_of_several_sizes_are_told(root):
    Image.new("RGB", (12, 9)).save(root / "train" / "clip0" / "frame4.png")
    told = r"train/clip0/frame4.png: is 12 x 9 pixels, and the first of its clip 10 x 9"
    with pytest.raises(ImageError, match=told):
        _ = find_inputs(root, WANTED, "train")[0]


def test_a_picture_in_no_folder_is_no_clip(tmp_path):
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"a\.png lies in no folder of its own; a clip is a folder of frames"):
        find_inputs(tmp_path, WANTED, "train")


def test_no_frames_at_all_are_told(tmp_path):
    with pytest.raises(DataError, match=r"neither folders of frames nor arrays \(.npy\)"):
        find_inputs(tmp_path, WANTED, "train")


@pytest.mark.parametrize("frames", range(1, 20))
@pytest.mark.parametrize("count", [1, 3, 8])
def test_in_use_the_frame_in_the_middle_of_each_part_is_taken(frames, count):
    found = middles(frames, count)
    assert len(found) == count
    assert found == sorted(found)
    assert all(at <= (i + 0.5) * frames / count < at + 1 for i, at in enumerate(found))
    if frames == count:
        assert found == list(range(frames))


def test_in_training_any_frame_of_each_part_is_taken_and_all_are_cut_alike(root):
    clip = find_inputs(root, WANTED, "train")[0].image
    noise = torch.randint(0, 255, (1, 1, 9, 10), dtype=torch.uint8)
    clip = torch.cat([clip[:2], noise.expand(1, FRAMES, 9, 10)])
    plain = Augmentation(scale=(0.3, 1.0), operations=0, erase=0, mixup=0, cutmix=0)
    taken = set()
    for seed in range(50):
        made = augment(Sample("", clip, {}), plain, WANTED, random.Random(seed)).image
        assert made.shape == (3, 4, 8, 8)
        assert all(torch.equal(made[2, 0], made[2, i]) for i in range(4))
        frames = made[0, :, 0, 0].tolist()
        assert all(int(i * FRAMES / 4) <= at <= (i + 1) * FRAMES / 4 for i, at in enumerate(frames))
        taken |= set(frames)
    assert taken == set(range(FRAMES))

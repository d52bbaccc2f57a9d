"""Copies that were compressed again or resized are found; other pictures are not."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from swinkit.data.near_duplicates import BITS, NEAR, difference_hash, group_near_duplicates

skimage = pytest.importorskip("skimage.data")


def decoded(picture, *, size=None, quality=75):
    """(3, h, w) after a JPEG of this size and quality."""
    content = io.BytesIO()
    Image.fromarray(picture).resize(size or picture.shape[1::-1], Image.Resampling.BICUBIC).save(
        content, "JPEG", quality=quality
    )
    return torch.from_numpy(np.array(Image.open(content))).permute(2, 0, 1)


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket"])
def test_a_copy_is_known_by_the_same_bits_or_nearly(name):
    picture = getattr(skimage, name)()
    original = difference_hash(torch.from_numpy(picture).permute(2, 0, 1))
    for copy in (decoded(picture), decoded(picture, size=(224, 224))):
        assert (difference_hash(copy) ^ original).bit_count() <= NEAR


def test_other_pictures_are_known_by_other_bits():
    looks = [
        difference_hash(torch.from_numpy(getattr(skimage, name)()).permute(2, 0, 1))
        for name in ("astronaut", "chelsea", "coffee", "rocket")
    ]
    assert group_near_duplicates(looks) == []
    assert group_near_duplicates([*looks, looks[2]]) == [[2, 4]]


def test_a_picture_without_contrast_is_like_no_other():
    assert difference_hash(torch.full((3, 9, 9), 7, dtype=torch.uint8)) is None
    assert group_near_duplicates([None, None]) == []


@pytest.mark.parametrize("flips", range(NEAR + 3))
def test_those_that_differ_in_few_bits_wherever_they_are_form_a_group(flips):
    rng = np.random.default_rng(flips)
    for _ in range(200):
        look = int.from_bytes(rng.bytes(BITS // 8), "big")
        other = look
        for bit in rng.choice(BITS, flips, replace=False):
            other ^= 1 << int(bit)
        assert group_near_duplicates([look, None, other]) == ([[0, 2]] if flips <= NEAR else [])


def test_groups_grow_by_what_any_of_them_is_like():
    chain = [0, 0b111, 0b111111, 1 << 100 | 0b111111]
    assert group_near_duplicates([*chain, (1 << 128) - 1]) == [[0, 1, 2, 3]]

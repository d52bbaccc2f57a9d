"""Geometric changes of a whole sample: boxes and masks of the target move with the image.

torchvision's transforms v2 do the work, those with random numbers under `seeded`. torchvision is imported
where a target has boxes or masks, since it takes longer than torch to import.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from .batch import map_tensors, tensors_in
from .sample import BOXES, IGNORED, OBJECTS, Sample

Warp = Callable[[Any, Any], Any]  # (image, boxes or masks, value of new pixels) -> the same, moved


@contextmanager
def seeded(stream: random.Random) -> Iterator[None]:
    """Let torch's global random numbers follow from `stream`, so that torchvision's transforms do.

    With a stream of (seed, epoch, id), what happens to a sample depends neither on others nor on the process.
    """
    before = torch.random.get_rng_state()
    torch.default_generator.manual_seed(stream.getrandbits(63))
    try:
        yield
    finally:
        torch.random.set_rng_state(before)


def warp_sample(sample: Sample, warp: Warp, fill: Any = 0) -> Sample:
    """Return the sample with `warp` applied to its image and to every tv_tensor of its target."""
    return replace(sample, image=warp(sample.image, fill), target=warp_target(sample.target, warp))


def warp_target(target: Mapping[str, Any], warp: Warp) -> Mapping[str, Any]:
    """Return the target with `warp` applied to every tv_tensor.

    Boxes are clipped to the image. Objects whose box is left with a side or an area below 1 pixel are
    removed, with all that belongs to them, as by torchvision's `SanitizeBoundingBoxes`. New pixels of a mask
    (h, w) of classes are `IGNORED`, those of masks (N, h, w) of objects 0.
    """
    if all(type(tensor) is Tensor for tensor in tensors_in(target)):
        return target
    from torchvision import tv_tensors

    def move(value: Tensor) -> Tensor:
        if not isinstance(value, tv_tensors.TVTensor):
            return value
        classes = isinstance(value, tv_tensors.Mask) and value.ndim == 2
        return warp(value, IGNORED if classes else 0)

    return remove_invisible(map_tensors(target, move))


def remove_invisible(target: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the target with boxes clipped to the image, without objects whose box is then below 1 pixel.

    With a box go its entries in the tensors `OBJECTS`.
    """
    if BOXES not in target:
        return target
    from torchvision import tv_tensors
    from torchvision.transforms.v2 import functional

    boxes = functional.clamp_bounding_boxes(target[BOXES], clamping_mode="hard")
    _, visible = functional.sanitize_bounding_boxes(boxes)

    def select(value: Tensor) -> Tensor:
        chosen = value[visible]
        wrap: Any = tv_tensors.wrap  # its decorator hides the signature
        return wrap(chosen, like=value) if isinstance(value, tv_tensors.TVTensor) else chosen

    moved = {**target, BOXES: boxes}
    return {name: select(value) if name in OBJECTS else value for name, value in moved.items()}

"""The most pixels of an image that is read, so that a small file cannot fill the memory."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

from ..errors import require

MAX_PIXELS = 89_000_000  # above it Pillow itself suspects a decompression bomb; above twice of it, it refuses
VARIABLE = "SWINKIT_MAX_PIXELS"  # of the environment, which processes that read pictures inherit
pillow_lock = threading.RLock()  # held while Pillow's own limit, which all threads share, is raised


def pixel_limit() -> int:
    """Return the most pixels of an image: `$SWINKIT_MAX_PIXELS`, else 89 million.

    Raises:
        UsageError: the variable is no whole number above 0.
    """
    given = os.environ.get(VARIABLE)
    if not given:
        return MAX_PIXELS
    require(given.isdecimal() and int(given) > 0, f"${VARIABLE}", given, "a whole number of pixels above 0")
    return int(given)


@contextmanager
def pillow_allows(pixels: int) -> Iterator[None]:
    """Let Pillow open images of so many pixels, which it may refuse by itself."""
    if Image.MAX_IMAGE_PIXELS is None or pixels <= 2 * Image.MAX_IMAGE_PIXELS:
        yield
        return
    with pillow_lock:
        before = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = pixels
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before

"""The constants that a kernel is compiled for.

Shapes: N tokens in a window, T tokens of a strip, L lanes, H heads, D channels per head.
"""

import math
from dataclasses import dataclass

from ...core.spec import Size

AXES = 3  # of every grid; an image is a clip of one frame


@dataclass(frozen=True)
class KernelConfig:
    """The constants of one kind of window attention, whose windows are processed in strips of tokens.

    Strips and lanes are powers of two and at least 16, because matrix units require it.
    """

    window: Size  # along three axes, as `shift`
    shift: Size  # shorter than a window
    heads: int
    width: int  # D
    strip: int  # T
    cosine: bool  # V2's similarity
    padded: bool  # some tokens are padding
    roll_first: bool  # the grid is rolled before it is padded

    @property
    def shifted(self) -> bool:
        """True if there are pairs to mask."""
        return any(self.shift)

    @property
    def tokens(self) -> int:
        """The tokens of a window, N."""
        return math.prod(self.window)

    @property
    def strips(self) -> int:
        """The strips of a window."""
        return -(-self.tokens // self.strip)

    @property
    def lanes(self) -> int:
        """The channels of a head, rounded up to a power of two: L."""
        return power_of_two(self.width)


def power_of_two(number: int) -> int:
    """Return the smallest power of two that is no less than `number`, and at least 16."""
    return max(16, 1 << (number - 1).bit_length())

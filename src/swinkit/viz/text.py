"""Text of pictures: its font, and lines cut to a width. Lengths in pixels."""

import unicodedata
from bisect import bisect_right
from functools import lru_cache

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
ELLIPSIS = "..."
LONGEST = 400  # letters that are measured


@lru_cache(maxsize=8)
def font(size: int) -> Font:
    """Return Pillow's built-in font, which has ASCII's letters and is the same on every machine."""
    return ImageFont.load_default(size)


def to_ascii(text: str) -> str:
    """Return letters without their accents, and "?" for those that the font lacks."""
    bare = (letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    return "".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in bare)


def readable_name(name: str, number: int) -> str:
    """Return a class's name as the font can draw it, with its number first if letters are lost."""
    drawn = to_ascii(name)
    return f"#{number} {drawn}" if "?" in drawn and "?" not in name else drawn


def shorten(text: str, face: Font, width: float, *, keep_end: bool = False) -> str:
    """Cut `text` to one line of at most `width` by "..." at the end; inside the text if `keep_end`."""
    text = to_ascii(" ".join(text.split()))
    if len(text) > LONGEST:
        text = text[: LONGEST // 2] + text[-LONGEST // 2 :]  # measuring a line costs its length
    if face.getlength(text) <= width:
        return text

    def line(kept: int) -> str:
        end = kept * 2 // 3 if keep_end else 0
        return text[: kept - end].rstrip() + ELLIPSIS + text[len(text) - end :]

    most = bisect_right(range(1, len(text)), width, key=lambda kept: face.getlength(line(kept)))
    return line(most) if most else ELLIPSIS

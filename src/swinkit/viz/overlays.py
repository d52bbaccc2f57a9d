"""Predictions beside their picture: a card for each picture, and a sheet of cards.

Takes plain tensors and names. Shapes: h, w pixels of the picture; K classes. Lengths in pixels of the card.
"""

from collections.abc import Sequence
from functools import lru_cache

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from .text import font, shorten

HEIGHT = 600  # of every card, so that a row of cards is even
FRAME = (240, 900)  # least and greatest width of the picture's part
PANEL = 440  # width of the answers' part
MARGIN = 32
ROW = 70  # from one answer to the next
BAR = 10  # height of a bar
MOST_ROWS = 6
TITLE, SMALL, LABEL = 26, 20, 24  # sizes of the letters

DARK = (24, 26, 31)
DARKER = (15, 16, 19)
TRACK = (48, 52, 61)
WHITE = (242, 244, 248)
GREY = (150, 157, 170)
ACCENT = (255, 176, 59)  # the best answer
OTHER = (104, 137, 184)


def draw_card(
    image: Tensor | None, labels: Sequence[str], scores: Sequence[float], *, title: str, subtitle: str
) -> Image.Image:
    """Draw a picture (3, h, w) uint8, or none, and K labels with scores in [0, 1], best first.

    All cards have the same height.
    """
    picture = None if image is None else frame_picture(image)
    left = 0 if picture is None else picture.width
    canvas = Image.new("RGB", (left + PANEL, HEIGHT), DARK)
    if picture is not None:
        canvas.paste(picture)
    draw_answers(canvas, left, list(zip(labels, scores, strict=True)), title, subtitle)
    return canvas


def frame_picture(image: Tensor) -> Image.Image:
    """Fit a picture (3, h, w) uint8 whole and undistorted into a dark frame of the card's height."""
    height, width = image.shape[1:]
    scale = min(HEIGHT / height, FRAME[1] / width)
    return paste_centred(image, scale, (max(FRAME[0], round(width * scale)), HEIGHT), sharp=scale > 10)


def as_picture(image: Tensor) -> Tensor:
    """Return an image (C, h, w) as a picture (3, h, w) uint8: its first three channels, or the first thrice.

    Numbers of more than 8 bits are shown from the least, black, to the greatest, white.
    """
    picture = image[:3] if len(image) >= 3 else image[:1].expand(3, -1, -1)
    if not picture.is_floating_point():
        return picture
    least, greatest = picture.aminmax()
    shares = (picture - least) / (greatest - least).clamp(min=torch.finfo(picture.dtype).tiny)
    return (255 * shares).round().to(torch.uint8)


def paste_centred(image: Tensor, scale: float, frame: tuple[int, int], *, sharp: bool) -> Image.Image:
    """Scale an image (C, h, w) and paste it into the middle of a dark `frame` of (width, height).

    With `sharp` the pixels of an icon stay squares; without, a photograph is smoothed.
    """
    height, width = (max(1, round(side * scale)) for side in image.shape[1:])
    method = Image.Resampling.NEAREST if sharp else Image.Resampling.LANCZOS
    picture = Image.fromarray(as_picture(image).permute(1, 2, 0).contiguous().numpy())
    picture = picture.resize((width, height), method, reducing_gap=3.0)
    canvas = Image.new("RGB", frame, DARKER)
    canvas.paste(picture, ((frame[0] - width) // 2, (frame[1] - height) // 2))
    return canvas


def draw_answers(
    canvas: Image.Image, left: int, answers: Sequence[tuple[str, float]], title: str, subtitle: str
) -> None:
    """Draw the name and size of the picture, and a bar for each of the best predictions."""
    draw = ImageDraw.Draw(canvas)
    start, room = left + MARGIN, PANEL - 2 * MARGIN
    draw.text((start, MARGIN), shorten(title, font(TITLE), room, keep_end=True), WHITE, font(TITLE))
    draw.text((start, MARGIN + 36), shorten(subtitle, font(SMALL), room), GREY, font(SMALL))
    top = MARGIN + 92
    for rank, (label, score) in enumerate(answers[:MOST_ROWS]):
        draw_answer(canvas, (start, top + rank * ROW), label, score, best=rank == 0)
    if len(answers) > MOST_ROWS:
        more = f"and {len(answers) - MOST_ROWS} more"
        draw.text((start, top + MOST_ROWS * ROW), more, GREY, font(SMALL))


def draw_answer(canvas: Image.Image, place: tuple[int, int], label: str, score: float, *, best: bool) -> None:
    """Draw a label and its score, and below them a bar as long as the score; `place` is (left, top)."""
    draw = ImageDraw.Draw(canvas)
    left, top = place
    width = PANEL - 2 * MARGIN
    colour = WHITE if best else GREY
    number = f"{score:.1%}"
    room = width - font(LABEL).getlength(number) - 20
    draw.text((left, top), shorten(label, font(LABEL), room), colour, font(LABEL))
    draw.text((left + width, top), number, colour, font(LABEL), anchor="ra")
    track = draw_round_mask(width, BAR)
    canvas.paste(TRACK, (left, top + 38), track)
    filled = track.crop((0, 0, round(width * min(max(score, 0.0), 1.0)), BAR))
    if filled.width:
        canvas.paste(ACCENT if best else OTHER, (left, top + 38), filled)


@lru_cache(maxsize=4)
def draw_round_mask(width: int, height: int) -> Image.Image:
    """Return a mask with round ends, smooth because it is drawn larger and scaled down."""
    large = Image.new("L", (4 * width, 4 * height))
    ImageDraw.Draw(large).rounded_rectangle((0, 0, 4 * width - 1, 4 * height - 1), 2 * height, 255)
    return large.resize((width, height), Image.Resampling.BOX)


def draw_sheet(
    cards: Sequence[Image.Image], *, width: int = 1840, height: int = 360, gap: int = 12
) -> Image.Image:
    """Scale cards to `height` and put them into rows of at most `width`."""
    small = [
        one.resize((round(one.width * height / one.height), height), Image.Resampling.LANCZOS)
        for one in cards
    ]
    places, left, top = [], gap, gap
    for one in small:
        if left > gap and left + one.width > width:
            left, top = gap, top + height + gap
        places.append((left, top))
        left += one.width + gap
    right = max(x + one.width for (x, _), one in zip(places, small, strict=True))
    canvas = Image.new("RGB", (right + gap, top + height + gap), DARKER)
    for place, one in zip(places, small, strict=True):
        canvas.paste(one, place)
    return canvas

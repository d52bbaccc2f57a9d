"""PNGs in every layout are read with the pixels that the samples mean, or refused, as docs/data.md says."""

import itertools
import struct

import numpy as np
import pytest

from swinkit.data.images import ImageError, load_image

from .corpus import chunk, png
from .tiffs import colour_map, pack, table_of_page

HEIGHT, WIDTH = 5, 9
RANDOM = np.random.default_rng(0)
COLUMNS = {"1, 2, 4 bits": (1, 2, 4), "8 bits": (8,), "16 bits": (16,)}
ROWS = {  # of the table: colour type of PNG, and samples of a pixel
    "grey": (0, 1),
    "RGB": (2, 3),
    "palette": (3, 1),
    "grey and alpha": (4, 2),
    "RGB and alpha": (6, 4),
    "grey with a transparent value": (0, 1),
    "palette with transparent entries": (3, 1),
    "RGB with a transparent colour": (2, 3),
}


def draw(row: str, bits: int) -> tuple[bytes, np.ndarray]:
    """Return a PNG of random samples, and what they mean on white: (h, w, 3), from 0 to 1."""
    colour, count = ROWS[row]
    samples = RANDOM.integers(0, 2**bits, (HEIGHT, WIDTH, count)).astype(np.uint16 if bits > 8 else np.uint8)
    extra, shares = b"", samples / (2**bits - 1)
    alpha = shares[..., -1:] if row.endswith("alpha") else np.ones((HEIGHT, WIDTH, 1))
    if colour == 3:
        colours = np.array(colour_map(bits)).reshape(3, -1).T >> 8
        extra = chunk(b"PLTE", colours.astype(np.uint8).tobytes())
        shares = colours[samples[..., 0]] / 255
    if row == "palette with transparent entries":
        extra += chunk(b"tRNS", bytes([51, 0]))
        alpha = np.choose(np.minimum(samples, 2), [0.2, 0.0, 1.0])
    elif "transparent" in row:
        marked = samples[2, 3]
        extra += chunk(b"tRNS", struct.pack(f">{count}H", *marked.tolist()))
        alpha = (samples != marked).any(-1, keepdims=True)
    colours_of = shares[..., : 1 if colour in (0, 4) else 3]
    data = [pack(line[None], bits, ">") for line in samples]
    return png(WIDTH, HEIGHT, bits, colour, data, extra), np.broadcast_to(
        colours_of * alpha + 1 - alpha, (HEIGHT, WIDTH, 3)
    )


@pytest.mark.parametrize("row", ROWS)
def test_every_layout_is_read_or_refused_as_the_page_says(row):
    cells = table_of_page("PNG")
    assert set(cells) == set(itertools.product(ROWS, COLUMNS))
    for column, depths in COLUMNS.items():
        for bits in depths if cells[row, column] else ():
            data, expected = draw(row, bits)
            if cells[row, column] == "refused":
                with pytest.raises(ImageError, match="; save it with an alpha channel"):
                    load_image(data)
                continue
            away = np.abs(load_image(data).permute(1, 2, 0).numpy() / 255 - expected).max() * 255
            exact = row == "grey" or (bits <= 8 and "alpha" not in row and "entries" not in row)
            assert away <= (0.501 if exact else 1.9), (bits, away)

"""Convert images of any of Pillow's modes to RGB, by an explicit rule for every mode.

| mode | rule |
|---|---|
| RGB, RGBX, L, 1, P | as Pillow converts them |
| CMYK, YCbCr, HSV, LAB | Pillow's plain formulas (LAB: littleCMS to sRGB) |
| RGBA, RGBa, LA, La, PA, and one colour marked as transparent | composited on the background |
| I;16 in any byte order | 65535 becomes 255; Pillow itself would clip at 255 |
| I (32 bits) | taken as 16 bits where the values can be nothing else; refused where the range is not known |
| F | [0, 1] becomes [0, 255]; anything else is refused |

RGB of 16 bits a channel arrives here with 8: Pillow keeps the upper byte.
"""

import numpy as np
from PIL import Image

ALPHA = ("RGBA", "RGBa", "LA", "La", "PA")
MARKED = ("1", "L", "P", "RGB")  # a file can mark one colour, or palette entries, as transparent


def to_rgb(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    """Convert an image to RGB.

    Raises:
        ValueError: the range of the values is not known.
    """
    if image.mode == "F" or image.mode.startswith("I"):
        return wide_to_rgb(image, background)
    if image.mode in ALPHA or (image.mode in MARKED and "transparency" in image.info):
        image = image.convert("LA") if image.mode == "La" else image  # Pillow has no direct way
        canvas = Image.new("RGBA", image.size, (*background, 255))
        image = Image.alpha_composite(canvas, image.convert("RGBA"))
    return image.convert("RGB")


def wide_to_rgb(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    """Convert grey of more than 8 bits; a grey value marked as transparent becomes the background."""
    values = np.asarray(image)
    rgb = np.stack([to_8_bits(values, declared=image.mode.startswith("I;16"))] * 3, axis=-1)
    marked = image.info.get("transparency")
    if isinstance(marked, int):
        rgb[values == marked] = background
    return Image.fromarray(rgb)


def to_8_bits(values: np.ndarray, *, declared: bool) -> np.ndarray:
    """Convert grey (h, w) of 16 bits (`declared` by the file), 32 bits, or floats in [0, 1] to uint8.

    Raises:
        ValueError: the range of the values is not known.
    """
    low, high = values.min(), values.max()
    if np.issubdtype(values.dtype, np.floating):
        if not (low >= 0 and high <= 1):  # also refuses NaN
            raise ValueError(
                f"floating-point values from {low:g} to {high:g} have no known range; store them in [0, 1]"
            )
        return np.rint(values * 255).astype(np.uint8)
    if not declared and not (low >= 0 and 255 < high <= 65535):
        raise ValueError(
            f"32-bit integers from {low} to {high} have no known range; store them in 8 or 16 bits"
        )
    return np.rint(values / 257).astype(np.uint8)  # 65535 / 257 = 255

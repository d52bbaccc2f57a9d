"""Normalisation and resizing of ImageNet as in the papers, by Microsoft's evaluation. Torch-free."""

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of RGB in [0, 1], over its training pictures
SQUEEZED_FROM = 384  # pixels of a side


def side_before_crop(side: int) -> int | None:
    """Return the shorter side before the centre crop of `side`; None if the whole image is squeezed."""
    return None if side >= SQUEEZED_FROM else int(256 / 224 * side)

"""How the models of the papers see ImageNet's pictures, as Microsoft's code evaluates them. Torch-free."""

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of RGB in [0, 1], over its training pictures
SQUEEZED_FROM = 384  # pixels of a side


def resized(side: int) -> int | None:
    """What the shorter side becomes before the middle is cut out; None: the whole picture is squeezed."""
    return None if side >= SQUEEZED_FROM else int(256 / 224 * side)

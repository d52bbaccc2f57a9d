"""The names of the classes of well-known data sets, as torchvision publishes them with its weights.

torchvision is imported where names are asked for, since it takes longer than torch to import.
"""

from .imagenet import CLASSES_1K, CLASSES_22K, ids, ids_of_rows, rows_of_1k

KNOWN = {CLASSES_1K: "ImageNet-1k", 400: "Kinetics-400"}


def class_names(num_classes: int) -> tuple[tuple[str, ...], str]:
    """Names for a file that holds none, and where they are from: told by their number, else numbered."""
    if num_classes in KNOWN:
        names = of_pictures() if num_classes == CLASSES_1K else of_clips()
        return names, f"{KNOWN[num_classes]}, as {num_classes} classes suggest"
    if num_classes == CLASSES_22K:
        return names_22k(), (
            f"ImageNet-22k, as {num_classes} classes suggest: English for those of ImageNet-1k, "
            "WordNet ids where Microsoft's class map tells them, else numbered"
        )
    return tuple(f"class {i}" for i in range(num_classes)), "numbered, as the file has no names"


def of_pictures() -> tuple[str, ...]:
    """ImageNet-1k's."""
    from torchvision.models import Swin_T_Weights

    return tuple(Swin_T_Weights.DEFAULT.meta["categories"])


def of_clips() -> tuple[str, ...]:
    """Kinetics-400's."""
    from torchvision.models.video import Swin3D_T_Weights

    return tuple(Swin3D_T_Weights.DEFAULT.meta["categories"])


def names_22k() -> tuple[str, ...]:
    """One for each row of a head of 21,841 classes. How certain they are: see `data.imagenet`."""
    names = [wordnet or f"class {row}" for row, wordnet in enumerate(ids_of_rows())]
    for name, wordnet, row in zip(of_pictures(), ids("1k"), rows_of_1k(), strict=True):
        if names[row] == wordnet:  # the teddy bear has a row that is another class's
            names[row] = name
    return tuple(names)

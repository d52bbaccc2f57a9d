"""Class names of well-known data sets, as torchvision publishes them with its weights.

torchvision is imported where names are needed, since it takes longer than torch to import.
"""

from collections import Counter
from typing import Any

from ..errors import TEXTS, UsageError, listed, require, require_texts
from .imagenet import CLASSES_1K, CLASSES_22K, ids, ids_of_rows, rows_of_1k

KNOWN = {CLASSES_1K: "ImageNet-1k", 400: "Kinetics-400"}


def require_labels(labels: Any) -> tuple[str, ...]:
    """Return the names of classes that a user gave, in their order.

    Raises:
        UsageError: they are no list of texts, none, or one name stands for two classes.
    """
    names = require_texts(labels, "labels")
    require("" not in names, "labels", list(names[:3]), TEXTS)
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise UsageError(f"labels has {listed(twice)} more than once; give each class a name of its own")
    return names


def class_names(num_classes: int) -> tuple[tuple[str, ...], str]:
    """Return names for a file without any, and their source: a data set of as many classes, or numbers."""
    if num_classes in KNOWN:
        names = imagenet_1k_names() if num_classes == CLASSES_1K else kinetics_400_names()
        return names, f"{KNOWN[num_classes]}, as {num_classes} classes suggest"
    if num_classes == CLASSES_22K:
        return imagenet_22k_names(), (
            f"ImageNet-22k, as {num_classes} classes suggest: English for those of ImageNet-1k, "
            "WordNet ids where Microsoft's class map tells them, else numbered"
        )
    return tuple(f"class {i}" for i in range(num_classes)), "numbered, as the file has no names"


def imagenet_1k_names() -> tuple[str, ...]:
    """Return the names of the 1,000 ImageNet-1k classes."""
    from torchvision.models import Swin_T_Weights

    return tuple(Swin_T_Weights.DEFAULT.meta["categories"])


def kinetics_400_names() -> tuple[str, ...]:
    """Return the names of the 400 Kinetics-400 classes."""
    from torchvision.models.video import Swin3D_T_Weights

    return tuple(Swin3D_T_Weights.DEFAULT.meta["categories"])


def imagenet_22k_names() -> tuple[str, ...]:
    """Return a name for each row of a head of 21,841 classes; `data.imagenet` says how certain they are."""
    names = [wordnet or f"class {row}" for row, wordnet in enumerate(ids_of_rows())]
    for name, wordnet, row in zip(imagenet_1k_names(), ids("1k"), rows_of_1k(), strict=True):
        if names[row] == wordnet:  # the teddy bear has a row that is another class's
            names[row] = name
    return tuple(names)

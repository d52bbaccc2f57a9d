"""The names of the classes of well-known data sets, as torchvision publishes them with its weights."""

from torchvision.models import Swin_T_Weights
from torchvision.models.video import Swin3D_T_Weights

from .imagenet import CLASSES_22K, ids, ids_of_rows, rows_of_1k

KNOWN = {1000: ("ImageNet-1k", Swin_T_Weights), 400: ("Kinetics-400", Swin3D_T_Weights)}


def class_names(num_classes: int) -> tuple[tuple[str, ...], str]:
    """Names for a file that holds none, and where they are from: told by their number, else numbered."""
    if num_classes in KNOWN:
        dataset, weights = KNOWN[num_classes]
        return tuple(weights.DEFAULT.meta["categories"]), f"{dataset}, as {num_classes} classes suggest"
    if num_classes == CLASSES_22K:
        return names_22k(), (
            f"ImageNet-22k, as {num_classes} classes suggest: English for those of ImageNet-1k, "
            "WordNet ids where Microsoft's class map tells them, else numbered"
        )
    return tuple(f"class {i}" for i in range(num_classes)), "numbered, as the file has no names"


def names_22k() -> tuple[str, ...]:
    """One for each row of a head of 21,841 classes. How certain they are: see `data.imagenet`."""
    names = [wordnet or f"class {row}" for row, wordnet in enumerate(ids_of_rows())]
    english = Swin_T_Weights.DEFAULT.meta["categories"]
    for name, wordnet, row in zip(english, ids("1k"), rows_of_1k(), strict=True):
        if names[row] == wordnet:  # the teddy bear has a row that is another class's
            names[row] = name
    return tuple(names)

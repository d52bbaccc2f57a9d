"""The names of the classes of well-known data sets, as torchvision publishes them with its weights."""

from torchvision.models import Swin_T_Weights
from torchvision.models.video import Swin3D_T_Weights

KNOWN = {1000: ("ImageNet-1k", Swin_T_Weights), 400: ("Kinetics-400", Swin3D_T_Weights)}


def class_names(num_classes: int) -> tuple[tuple[str, ...], str]:
    """Names for a file that holds none, and where they are from: told by their number, else numbered."""
    if num_classes in KNOWN:
        dataset, weights = KNOWN[num_classes]
        return tuple(weights.DEFAULT.meta["categories"]), f"{dataset}, as {num_classes} classes suggest"
    return tuple(f"class {i}" for i in range(num_classes)), "numbered, as the file has no names"

"""The models of other libraries for a row: (B, 3, *P) -> (B, K) logits, with the weights that ours has.

They are made by the libraries' own constructors, and filled, strictly, by our conversion. Each library is
imported only when it is asked for.
"""

from typing import Any

from torch import Tensor, nn

from ..models.specs import VARIANTS
from ..weights.configs import timm_arguments, torchvision_arguments, transformers_arguments
from ..weights.dialect import Dialect
from ..weights.dialect_table import dialect_named
from ..weights.load import export_weights
from .given import Classifier, classifier
from .rows import LEARN_LEAN, Row

DIALECTS = {
    "timm": {},
    "torchvision": {"video": "torchvision-3d"},
    "transformers": {"v2": "transformers-v2"},
}  # of families whose names are not those of the library's first
Filled = tuple[nn.Module, Dialect]  # and under whose borders it answers


def timm(row: Row) -> Filled:
    """`SwinTransformer` and `SwinTransformerV2`."""
    from timm.models.swin_transformer import SwinTransformer
    from timm.models.swin_transformer_v2 import SwinTransformerV2

    own = classifier(row)
    kind = SwinTransformerV2 if row.family == "v2" else SwinTransformer
    model = kind(**timm_arguments(own.backbone.spec, row.size, classes(row)))
    if row.work == LEARN_LEAN:
        model.set_grad_checkpointing()
    return model, filled(model, own, "timm", row)


def vit(row: Row) -> nn.Module:
    """timm's ViT-B/16, whose attention is over the whole picture; with weights of its own."""
    from timm.models.vision_transformer import VisionTransformer

    return VisionTransformer(img_size=row.size[-2:])  # pyright: ignore[reportArgumentType]


def torchvision(row: Row) -> Filled:
    """`SwinTransformer`, with the blocks of V2 for those, and `SwinTransformer3d`."""
    from torchvision.models import swin_transformer as pictures
    from torchvision.models.video.swin_transformer import SwinTransformer3d

    own = classifier(row)
    arguments = torchvision_arguments(own.backbone.spec, classes(row))
    if row.family == "v2":
        arguments |= {"block": pictures.SwinTransformerBlockV2, "downsample_layer": pictures.PatchMergingV2}
    kind: Any = SwinTransformer3d if row.family == "video" else pictures.SwinTransformer
    model = kind(**arguments)
    return model, filled(model, own, "torchvision", row)


class Logits(nn.Module):
    """transformers' model without the class around its answer."""

    def __init__(self, model: Any):
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, *P) -> (B, K) logits."""
        return self.model(pixels).logits


def transformers(row: Row) -> Filled:
    """`SwinForImageClassification` and `Swinv2ForImageClassification`."""
    import transformers as library

    own = classifier(row)
    name = "Swinv2" if row.family == "v2" else "Swin"
    arguments = transformers_arguments(own.backbone.spec, row.size)
    config = getattr(library, f"{name}Config")(**arguments, num_labels=classes(row))
    model: Any = getattr(library, f"{name}ForImageClassification")(config)
    if row.work == LEARN_LEAN:
        enable = getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)
        enable()  # renamed within 5
    return Logits(model), filled(model, own, "transformers", row)


def classes(row: Row) -> int:
    """How many the model of a row tells apart."""
    return VARIANTS[row.variant].num_classes


def filled(model: nn.Module, own: Classifier, library: str, row: Row) -> Dialect:
    """Give a library's model the weights of ours; the dialect of that library.

    Raises:
        RuntimeError: it does not take them all.
    """
    dialect = dialect_named(DIALECTS[library].get(row.family, library))
    model.load_state_dict(export_weights(own, dialect.name), strict=True)
    return dialect

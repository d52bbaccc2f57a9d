"""The models of other libraries for a case: (B, 3, *P) -> (B, K) logits, with the weights of our model.

The libraries' own constructors build them; our conversion fills them, strictly. A library is imported only
when it is needed.
"""

from typing import Any

from torch import Tensor, nn

from swinkit.models.specs import VARIANTS
from swinkit.weights.configs import timm_arguments, torchvision_arguments, transformers_arguments
from swinkit.weights.dialect import Dialect
from swinkit.weights.dialect_table import dialect_named
from swinkit.weights.load import export_weights

from .cases import CHECKPOINTED, Case
from .inputs import BareClassifier, build_classifier

FAMILY_DIALECTS = {
    "timm": {},
    "torchvision": {"video": "torchvision-3d"},
    "transformers": {"v2": "transformers-v2"},
}  # of families whose dialect is not named after the library
Filled = tuple[nn.Module, Dialect]  # a model, and the dialect whose border policy it follows


def timm(case: Case) -> Filled:
    """Build timm's `SwinTransformer` or `SwinTransformerV2`."""
    from timm.models.swin_transformer import SwinTransformer
    from timm.models.swin_transformer_v2 import SwinTransformerV2

    own = build_classifier(case)
    constructor = SwinTransformerV2 if case.family == "v2" else SwinTransformer
    model = constructor(**timm_arguments(own.backbone.spec, case.size, num_classes(case)))
    if case.workload == CHECKPOINTED:
        model.set_grad_checkpointing()
    return model, fill(model, own, "timm", case)


def vit(case: Case) -> nn.Module:
    """Build timm's ViT-B/16, which attends to the whole picture; its weights are its own."""
    from timm.models.vision_transformer import VisionTransformer

    return VisionTransformer(img_size=case.size[-2:])  # pyright: ignore[reportArgumentType]


def torchvision(case: Case) -> Filled:
    """Build torchvision's `SwinTransformer`, with the blocks of V2 for those, or `SwinTransformer3d`."""
    from torchvision.models import swin_transformer as images
    from torchvision.models.video.swin_transformer import SwinTransformer3d

    own = build_classifier(case)
    arguments = torchvision_arguments(own.backbone.spec, num_classes(case))
    if case.family == "v2":
        arguments |= {"block": images.SwinTransformerBlockV2, "downsample_layer": images.PatchMergingV2}
    constructor: Any = SwinTransformer3d if case.family == "video" else images.SwinTransformer
    model = constructor(**arguments)
    return model, fill(model, own, "torchvision", case)


class Logits(nn.Module):
    """transformers' model without the class around its answer."""

    def __init__(self, model: Any):
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> Tensor:
        """Classify: (B, 3, *P) -> (B, K) logits."""
        return self.model(pixels).logits


def transformers(case: Case) -> Filled:
    """Build transformers' `SwinForImageClassification` or `Swinv2ForImageClassification`."""
    import transformers as library

    own = build_classifier(case)
    name = "Swinv2" if case.family == "v2" else "Swin"
    arguments = transformers_arguments(own.backbone.spec, case.size)
    config = getattr(library, f"{name}Config")(**arguments, num_labels=num_classes(case))
    model: Any = getattr(library, f"{name}ForImageClassification")(config)
    if case.workload == CHECKPOINTED:  # the method was renamed within 5
        getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)()
    return Logits(model), fill(model, own, "transformers", case)


def num_classes(case: Case) -> int:
    """Return the number of classes of a case's model."""
    return VARIANTS[case.variant].num_classes


def fill(model: nn.Module, own: BareClassifier, library: str, case: Case) -> Dialect:
    """Load the weights of our model into a library's model; return that library's dialect.

    Raises:
        RuntimeError: it does not take them all.
    """
    dialect = dialect_named(FAMILY_DIALECTS[library].get(case.family, library))
    model.load_state_dict(export_weights(own, dialect.name), strict=True)
    return dialect

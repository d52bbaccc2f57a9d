"""However a case writes its reference down, its twin is found."""

import pytest

from . import loading
from .compare import find

OFFICIAL, TIMM = "microsoft/Swin-Transformer", "huggingface/pytorch-image-models"
MLP = (OFFICIAL, "models/swin_mlp.py", "SwinMLP")
CR = (TIMM, "timm/models/swin_transformer_v2_cr.py", "SwinTransformerV2Cr")
BARE = ("huggingface/transformers", None, "SwinModel")
SIMMIM = (OFFICIAL, "models/simmim.py", "SimMIM(SwinTransformerForSimMIM)")
DETECTOR = (
    "SwinTransformer/Swin-Transformer-Object-Detection",
    "mmdet/models/backbones/swin_transformer.py",
    "SwinTransformer",
)
TV2 = ("pytorch/vision", None, "SwinTransformer(block=SwinTransformerBlockV2)")


def about(repo, file, name):
    return {"reference_repo": repo, "reference_file": file, "reference_class": name}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ((OFFICIAL, "./models/swin_mlp.py", "SwinMLP"), MLP),
        ((OFFICIAL, "swin_mlp.py", "SwinMLP"), MLP),
        ((OFFICIAL, None, "SwinMLP"), MLP),
        ((OFFICIAL, "models.swin_mlp", "models.swin_mlp.SwinMLP"), MLP),
        ((OFFICIAL, "models.swin_mlp.SwinMLP", "SwinMLP (C24)"), MLP),
        ((OFFICIAL, "models/swin_mlp.py:SwinMLP", "SwinMLP"), MLP),
        (
            (
                f"https://github.com/{OFFICIAL}",
                f"https://github.com/{OFFICIAL}/blob/main/models/swin_mlp.py",
                "SwinMLP",
            ),
            MLP,
        ),
        ((f"git@github.com:{OFFICIAL}.git", "models/swin_mlp.py::SwinMLP", "SwinMLP"), MLP),
        ((f"github.com/{OFFICIAL}/tree/main", None, "SwinMLP"), MLP),
        (("Microsoft/swin-transformer", None, "SwinMLP"), MLP),
        ((TIMM, None, "timm.models.swin_transformer_v2_cr.SwinTransformerV2Cr"), CR),
        (("timm", None, "SwinTransformerV2Cr"), CR),
        (("transformers", None, "transformers.SwinModel"), BARE),
        (
            (
                "https://github.com/huggingface/transformers/",
                "src/x.py",
                "transformers.models.swin.SwinModel",
            ),
            BARE,
        ),
        (("microsoft/SimMIM", "models/simmim.py", "SimMIM (SwinTransformerForSimMIM)"), SIMMIM),
        ((DETECTOR[0], None, "SwinTransformer (detection backbone)"), DETECTOR),
        (("torchvision", None, "torchvision.models.SwinTransformer(block=SwinTransformerBlockV2)"), TV2),
        (("torchvision", None, "SwinTransformer (block=SwinTransformerBlockV2, x=1)"), TV2),
    ],
)
def test_a_reference_is_known_however_it_is_written(written, meant):
    assert find(about(*meant)) is not None
    assert find(about(*written)) is find(about(*meant))


@pytest.mark.parametrize(
    "written",
    [
        (OFFICIAL, "models/swin_mlp.py", "SwinMLPBlock"),
        (OFFICIAL, "models/simmim.py", "SimMIM(VisionTransformer)"),
        (OFFICIAL, "optimizer.py", "SwinMLP"),
        ("somebody/Swin-Transformer", "models/swin_mlp.py", "SwinMLP"),
        ("pytorch/vision", None, "SwinTransformer(block=Another)"),
        (None, None, None),
    ],
)
def test_others_are_not_taken_for_one(written):
    assert find(about(*written)) is None


TWO = {"constructor": {"source_checkpoint": {}, "target_model": {}}}


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ((OFFICIAL, "utils.py", "SwinTransformer"), "resize_load_pretrained"),
        ((OFFICIAL, "utils.py::load_pretrained", "models.SwinTransformerV2"), "resize_load_pretrained_v2"),
        ((OFFICIAL, None, "load_pretrained"), "resize_load_pretrained"),
        ((OFFICIAL, "./utils_simmim.py", "SwinTransformer"), "simmim_geo_resize"),
        (("https://github.com/microsoft/SimMIM", "utils.py", "SwinTransformerV2"), "simmim_geo_resize_v2"),
    ],
)
def test_a_case_of_loading_is_told_by_its_two_models(written, kind):
    assert loading.find(about(*written)) is None
    found = loading.find(about(*written) | TWO)
    assert found is not None
    assert found.kind == kind


def test_a_case_of_inflation_is_told_by_its_two_models_and_other_loaders_are_not_taken():
    found = loading.find(about(None, None, None) | {"constructor": {"model2d": {}, "model3d": {}}})
    assert found is loading.VIDEO
    assert loading.find(about(*MLP) | TWO) is None
    assert loading.find(about(*CR) | TWO) is None

"""Cases that nobody has seen: written here by the installed timm and torchvision, with all their options."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import timm.models.swin_transformer
import timm.models.swin_transformer_v2
import timm.models.swin_transformer_v2_cr
import torch
from torch import Tensor, nn
from torchvision.models import swin_transformer as tv
from torchvision.models.video import swin_transformer as tv3d

from tests.models.small import stirred

from .compare import NOT_COVERED, check
from .test_loading import holds
from .write import write

pytestmark = pytest.mark.slow

SMALL = {"embed_dim": 8, "depths": [2, 2], "num_heads": [2, 4]}
TOLERANCE = {"rtol": 1e-4, "atol": 1e-4}


def case(
    folder: Path,
    about: dict[str, Any],
    model: nn.Module,
    inputs: dict[str, Tensor],
    outputs: dict[str, Tensor],
) -> Path:
    """Return a case folder as the reference's keepers would write it."""
    weights = dict(model.state_dict())
    return write(
        folder,
        {**about, "mode": "eval", "tolerance": TOLERANCE},
        weights=weights,
        inputs=inputs,
        outputs=outputs,
    )


@torch.no_grad()
def by_timm(folder: Path, maker: type[nn.Module], options: dict[str, Any], size: tuple[int, int]) -> Path:
    """Return a case of timm's."""
    model = stirred(maker(**options)).eval()
    image = torch.randn(2, options.get("in_chans", 3), *size)
    features, stages = model.forward_intermediates(image)
    outputs = {f"intermediate{i}_nchw": x for i, x in enumerate(stages)}
    outputs |= {
        "forward_features": features,
        "logits": model(image),
        "pre_logits": model.forward_head(features, pre_logits=True),
    }
    about = {
        "reference_repo": "huggingface/pytorch-image-models",
        "reference_class": maker.__name__,
        "constructor": options,
    }
    return case(folder, about, model, {"image": image}, outputs)


@torch.no_grad()
def by_torchvision(
    folder: Path, name: str, maker: Any, options: dict[str, Any], *sizes: tuple[int, ...]
) -> Path:
    """Return a case of torchvision's."""
    model = stirred(maker(**options)).eval()
    inputs = {f"image{i}": torch.randn(1, 3, *size) for i, size in enumerate(sizes)}
    outputs = {}
    for key, image in inputs.items():
        x = model.patch_embed(image) if hasattr(model, "patch_embed") else image
        for i, part in enumerate(model.features):
            x = part(x)
            outputs[f"{key}.features.{i}"] = x
        outputs |= {f"{key}.norm": model.norm(x), f"{key}.logits": model(image)}
    about = {"reference_repo": "pytorch/vision", "reference_class": name, "constructor": options}
    return case(folder, about, model, inputs, outputs)


TIMM = {
    "plain": ({"img_size": 64, "window_size": 4}, (64, 64)),
    "oblong": ({"img_size": [48, 80], "window_size": 5}, (48, 80)),
    "rectangular windows": ({"img_size": [64, 96], "window_size": [3, 6]}, (64, 96)),
    "odd grid, padded": ({"img_size": 52, "window_size": 4}, (52, 52)),
    "patch 2": ({"img_size": 30, "patch_size": 2, "window_size": 7}, (30, 30)),
    "no classes": ({"img_size": 64, "window_size": 4, "num_classes": 0}, (64, 64)),
    "no pooling": ({"img_size": 64, "window_size": 4, "num_classes": 0, "global_pool": ""}, (64, 64)),
    "no pooling, classes": (
        {"img_size": [64, 96], "window_size": 4, "num_classes": 3, "global_pool": "", "embed_dim": 6},
        (64, 96),
    ),
    "no qkv bias": ({"img_size": 64, "window_size": 4, "qkv_bias": False}, (64, 64)),
    "five channels": ({"img_size": 64, "window_size": 4, "in_chans": 5}, (64, 64)),
    "narrow MLP": ({"img_size": 64, "window_size": 4, "mlp_ratio": 1.5}, (64, 64)),
    "windows never clipped": ({"img_size": 24, "window_size": 4, "always_partition": True}, (24, 24)),
    "larger than built for": ({"img_size": 32, "window_size": 8, "strict_img_size": False}, (72, 88)),
    "one stage, rates": (
        {
            "depths": [3],
            "num_heads": [2],
            "img_size": 64,
            "window_size": 4,
            "drop_rate": 0.1,
            "proj_drop_rate": 0.1,
            "attn_drop_rate": 0.1,
            "drop_path_rate": 0.3,
        },
        (64, 64),
    ),
}
TIMM_CR = {
    **{name: case for name, case in TIMM.items() if name != "no qkv bias"},
    "windows as a share of the grid": ({"img_size": [64, 96], "window_ratio": 4}, (64, 96)),
    "a share for each stage": ({"img_size": 64, "window_ratio": [4, 8]}, (64, 64)),
    "the usual share": ({"img_size": 64}, (64, 64)),
    "norms in stages": (
        {"img_size": 64, "window_size": 4, "depths": [5, 4], "extra_norm_period": 2},
        (64, 64),
    ),
    "norms after stages": (
        {"img_size": [40, 72], "window_size": 4, "extra_norm_stage": True, "init_values": 1e-3},
        (40, 72),
    ),
}
IMAGES = {
    "plain": ({"window_size": [4, 4]}, (64, 64)),
    "oblong and odd": ({"window_size": [4, 4]}, (52, 75), (18, 33)),
    "rectangular windows": ({"window_size": [3, 5]}, (64, 96), (8, 8)),
    "other numbers": (
        {"window_size": [4, 4], "depths": [1, 3], "mlp_ratio": 2.0, "num_classes": 3, "patch_size": [2, 3]},
        (40, 30),
    ),
    "rates": (
        {"window_size": [4, 4], "dropout": 0.1, "attention_dropout": 0.1, "stochastic_depth_prob": 0.4},
        (32, 32),
    ),
}
CLIPS = {
    "plain": ({"window_size": [4, 4, 4]}, (8, 32, 32)),
    "clipped on every axis": ({"window_size": [4, 5, 7]}, (3, 30, 45), (4, 12, 60)),
    "other numbers": (
        {"window_size": [2, 4, 3], "patch_size": [1, 2, 2], "depths": [3, 1], "num_classes": 3},
        (3, 20, 20),
    ),
}


@pytest.mark.parametrize("options", TIMM.values(), ids=TIMM)
@pytest.mark.parametrize(
    "maker", [timm.models.swin_transformer.SwinTransformer, timm.models.swin_transformer_v2.SwinTransformerV2]
)
def test_any_option_of_timm(tmp_path, maker, options):
    given, size = options
    holds(by_timm(tmp_path / "case", maker, {**SMALL, **given}, size))


@pytest.mark.parametrize("options", TIMM_CR.values(), ids=TIMM_CR)
def test_any_option_of_timms_v2_cr(tmp_path, options):
    given, size = options
    maker = timm.models.swin_transformer_v2_cr.SwinTransformerV2Cr
    holds(by_timm(tmp_path / "case", maker, {**SMALL, **given}, size))


def test_the_older_name_of_the_share_is_understood(tmp_path):
    maker = timm.models.swin_transformer_v2_cr.SwinTransformerV2Cr
    folder = by_timm(tmp_path / "case", maker, {**SMALL, "img_size": 64, "window_ratio": 2}, (64, 64))
    about = (folder / "case.json").read_text()
    (folder / "case.json").write_text(about.replace('"window_ratio"', '"img_window_ratio"'))
    holds(folder)


def test_pretraining_windows_of_timm(tmp_path):
    given = {**SMALL, "img_size": 64, "window_size": 8, "pretrained_window_sizes": [4, 0]}
    holds(by_timm(tmp_path / "case", timm.models.swin_transformer_v2.SwinTransformerV2, given, (64, 64)))


def test_heads_of_their_own_width_are_not_covered(tmp_path):
    given = {**SMALL, "img_size": 64, "window_size": 4, "head_dim": 16}
    outcome = check(by_timm(tmp_path / "case", timm.models.swin_transformer.SwinTransformer, given, (64, 64)))
    assert (outcome.status, outcome.reasons) == (
        NOT_COVERED,
        ["head_dim 16, where it is not channels / heads"],
    )


@pytest.mark.parametrize("options", IMAGES.values(), ids=IMAGES)
def test_any_option_of_torchvision_v1(tmp_path, options):
    given, *sizes = options
    name = "torchvision.models.swin_transformer.SwinTransformer"
    holds(
        by_torchvision(
            tmp_path / "case", name, tv.SwinTransformer, {"patch_size": [4, 4], **SMALL, **given}, *sizes
        )
    )


@pytest.mark.parametrize("options", IMAGES.values(), ids=IMAGES)
def test_any_option_of_torchvision_v2(tmp_path, options):
    given, *sizes = options
    name = "SwinTransformer(block=SwinTransformerBlockV2, downsample_layer=PatchMergingV2)"
    maker = partial(tv.SwinTransformer, block=tv.SwinTransformerBlockV2, downsample_layer=tv.PatchMergingV2)
    holds(by_torchvision(tmp_path / "case", name, maker, {"patch_size": [4, 4], **SMALL, **given}, *sizes))


@pytest.mark.parametrize("options", CLIPS.values(), ids=CLIPS)
def test_any_option_of_torchvision_3d(tmp_path, options):
    given, *sizes = options
    name = "torchvision.models.video.swin_transformer.SwinTransformer3d"
    holds(
        by_torchvision(
            tmp_path / "case",
            name,
            tv3d.SwinTransformer3d,
            {"patch_size": [2, 4, 4], **SMALL, **given},
            *sizes,
        )
    )

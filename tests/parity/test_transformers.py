"""transformers answers as we do, with its weights in our model and with ours in its model."""

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import (
    DonutSwinConfig,
    DonutSwinModel,
    MaskFormerSwinBackbone,
    MaskFormerSwinConfig,
    SwinBackbone,
)

from swinkit.core.spec import Size
from swinkit.heads.pyramid import Pyramid
from swinkit.models.build import build
from swinkit.tasks.simmim.model import SimMIM
from swinkit.weights.load import export_weights, load_weights
from tests.models.small import stirred

from .libraries import CLOSE, twin
from .transformers_models import (
    BACKBONES,
    CLASSIFIERS,
    DIALECTS,
    RECONSTRUCTORS,
    gap,
    library,
    logits,
    spec_of,
)

pytestmark = pytest.mark.slow

OUTPUTS = {"out_features": ["stage1", "stage2", "stage3"]}
SIZES: dict[str, tuple[str, Size]] = {
    "v1 square": ("v1", (64, 64)),
    "v1 oblong": ("v1", (64, 128)),
    "v1 padded": ("v1", (72, 104)),
    "v1 odd": ("v1", (75, 94)),
    "v2 square": ("v2", (64, 64)),
    "v2 clipped": ("v2", (32, 32)),
    "v2 padded": ("v2", (104, 104)),
    "v2 odd": ("v2", (94, 94)),
}


@torch.no_grad()
def compared(ours: nn.Module, theirs: nn.Module, size: Size) -> float:
    """Return the largest difference of two classifiers' logits, in units of the largest."""
    pixels = torch.randn(2, 3, *size)
    return gap(ours(pixels), logits(theirs, pixels))


@pytest.mark.parametrize(("family", "size"), SIZES.values(), ids=SIZES)
def test_transformers_weights_answer_the_same_in_our_model(family: str, size: Size):
    theirs = library(CLASSIFIERS, family, size)
    ours = twin(spec_of(family, size))
    report = load_weights(ours, theirs.state_dict())
    assert report.dialect == DIALECTS[family]
    assert not report.unused
    assert compared(ours, theirs, size) < CLOSE


@pytest.mark.parametrize(("family", "size"), SIZES.values(), ids=SIZES)
def test_our_weights_answer_the_same_in_transformers_model(family: str, size: Size):
    theirs = library(CLASSIFIERS, family, size)
    ours = twin(spec_of(family, size))
    theirs.load_state_dict(export_weights(ours, DIALECTS[family]), strict=True)
    assert compared(ours, theirs, size) < CLOSE


@pytest.mark.parametrize("family", ["v1", "v2"])
def test_the_comparison_would_see_a_difference(family: str):
    assert compared(twin(spec_of(family, (64, 64))), library(CLASSIFIERS, family, (64, 64)), (64, 64)) > 0.1


def test_an_absolute_embedding_goes_both_ways():
    size = (64, 96)
    theirs = library(CLASSIFIERS, "v1", size, use_absolute_embeddings=True)
    ours = twin(spec_of("v1", size, absolute_grid=(16, 24)))
    load_weights(ours, theirs.state_dict())
    assert compared(ours, theirs, size) < CLOSE
    theirs.load_state_dict(export_weights(stirred(ours), "transformers"), strict=True)
    assert compared(ours, theirs, size) < CLOSE


@pytest.mark.parametrize("family", ["v1", "v2"])
def test_projections_without_biases_go_both_ways(family: str):
    theirs = library(CLASSIFIERS, family, (64, 64), qkv_bias=False)
    ours = twin(spec_of(family, (64, 64), qkv_bias=False))
    load_weights(ours, theirs.state_dict())
    assert compared(ours, theirs, (64, 64)) < CLOSE
    theirs.load_state_dict(export_weights(stirred(ours), DIALECTS[family]), strict=True)
    assert compared(ours, theirs, (64, 64)) < CLOSE


@pytest.mark.parametrize("family", ["v1", "v2"])
def test_masked_image_models_answer_the_same_both_ways(family: str):
    size = (64, 64)
    theirs = library(RECONSTRUCTORS, family, size, encoder_stride=16)
    ours = stirred(SimMIM(build(spec_of(family, size)))).eval()
    load_weights(ours, theirs.state_dict())
    assert reconstructions_differ(ours, theirs, size) < CLOSE
    theirs.load_state_dict(export_weights(stirred(ours), DIALECTS[family]), strict=True)
    assert reconstructions_differ(ours, theirs, size) < CLOSE


@torch.no_grad()
def reconstructions_differ(ours: SimMIM, theirs: nn.Module, size: Size) -> float:
    """Return the largest difference of reconstructions and losses, in units of the largest."""
    pixels, mask = torch.randn(2, 3, *size), torch.rand(2, size[0] // 4, size[1] // 4) > 0.4
    answer = theirs(pixels, bool_masked_pos=mask.flatten(1))
    return max(gap(ours(pixels, mask), answer.reconstruction), gap(ours.loss(pixels, mask), answer.loss))


@pytest.mark.parametrize("size", [(64, 64), (40, 100), (61, 83)])
def test_the_backbone_of_v1_is_our_pyramid(size: Size):
    theirs = pyramid_of_theirs()
    ours = stirred(Pyramid(build(spec_of("v1", size, border="pad")), (0, 1, 2))).eval()
    report = load_weights(ours, theirs.state_dict())
    assert report.dialect == "transformers-backbone"
    assert set(report.unused) == {"swin.layernorm.weight", "swin.layernorm.bias"}
    assert maps_differ(ours, theirs, size) < CLOSE
    missing, unexpected = theirs.load_state_dict(
        export_weights(stirred(ours), "transformers-backbone"), strict=False
    )
    assert set(missing) == set(report.unused)  # it has a final norm that it never runs
    assert not unexpected
    assert maps_differ(ours, theirs, size) < CLOSE


def test_the_backbone_of_v1_takes_an_older_file_by_its_own_renaming(tmp_path):
    ours = stirred(Pyramid(build(spec_of("v1", (64, 64), border="pad")), (0, 1, 2))).eval()
    theirs = pyramid_of_theirs()
    theirs.save_pretrained(tmp_path)
    older = export_weights(ours, "transformers-legacy-backbone")
    save_file(older, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert maps_differ(ours, SwinBackbone.from_pretrained(tmp_path).eval(), (64, 64)) < CLOSE


def test_the_classifier_of_v1_takes_an_older_file_by_its_own_renaming(tmp_path):
    size = (64, 64)
    ours = twin(spec_of("v1", size))
    library(CLASSIFIERS, "v1", size).save_pretrained(tmp_path)
    older = export_weights(ours, "transformers-legacy")
    save_file(older, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert compared(ours, CLASSIFIERS["v1"].from_pretrained(tmp_path).eval(), size) < CLOSE


@pytest.mark.parametrize("size", [(64, 64), (61, 83)])
def test_the_backbone_of_maskformer_is_our_pyramid(size: Size):
    theirs = library({"v1": MaskFormerSwinBackbone}, "v1", (64, 64), config=MaskFormerSwinConfig, **OUTPUTS)
    ours = stirred(Pyramid(build(spec_of("v1", size, border="pad")), (0, 1, 2))).eval()
    report = load_weights(ours, theirs.state_dict())
    assert report.dialect == "transformers-legacy-backbone"
    assert maps_differ(ours, theirs, size) < CLOSE


@torch.no_grad()
def test_the_encoder_of_donut_is_our_backbone():
    theirs = library({"v1": DonutSwinModel}, "v1", (64, 128), config=DonutSwinConfig)
    ours = stirred(build(spec_of("v1", (64, 128)))).eval()
    load_weights(ours, theirs.state_dict(), dialect="transformers-legacy")
    pixels = torch.randn(2, 3, 64, 128)
    assert gap(ours(pixels)[-1].flatten(1, 2), theirs(pixels).last_hidden_state) < CLOSE


def test_the_backbone_of_v2_is_our_backbone_without_norms():
    size = (64, 64)
    theirs = library(BACKBONES, "v2", size, **OUTPUTS)
    ours = stirred(build(spec_of("v2", size))).eval()
    load_weights(ours, theirs.state_dict())
    assert features_differ(ours, theirs, size) < CLOSE
    theirs.load_state_dict(export_weights(stirred(ours), "transformers-v2-backbone"), strict=True)
    assert features_differ(ours, theirs, size) < CLOSE


def pyramid_of_theirs() -> nn.Module:
    """V1 with a norm for each of its three outputs."""
    return library(BACKBONES, "v1", (64, 64), **OUTPUTS)


@torch.no_grad()
def maps_differ(ours: Pyramid, theirs: nn.Module, size: Size) -> float:
    """Return the largest difference of the normed maps, in units of the largest of each."""
    pixels = torch.randn(2, 3, *size)
    return largest(ours(pixels), theirs(pixels).feature_maps)


@torch.no_grad()
def features_differ(ours: nn.Module, theirs: nn.Module, size: Size) -> float:
    """Return the same for features without norms, which are channels last here."""
    pixels = torch.randn(2, 3, *size)
    return largest([x.movedim(-1, 1) for x in ours(pixels)], theirs(pixels).feature_maps)


def largest(ours: list[Tensor], theirs: tuple[Tensor, ...]) -> float:
    """Return the largest difference over all stages."""
    return max(gap(one, other) for one, other in zip(ours, theirs, strict=True))

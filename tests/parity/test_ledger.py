"""One test for each row of docs/parity.md: the difference is there, and we do as the row says."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from timm.models.swin_transformer import SwinTransformer as TimmV1
from timm.models.swin_transformer_v2 import SwinTransformerV2 as TimmV2
from torch import Tensor, nn
from torchvision.models import swin_transformer as tv
from torchvision.models.video.swin_transformer import SwinTransformer3d

from swinkit.core.kernels import attend
from swinkit.core.position import log_offsets
from swinkit.core.spec import Spec
from swinkit.heads.pyramid import Pyramid
from swinkit.models.build import build
from swinkit.models.families import SpecV2
from swinkit.weights.load import load_weights
from tests.models.small import Headed, stirred

pytestmark = pytest.mark.slow

SMALL = {"embed_dim": 8, "depths": (2, 2), "num_heads": (2, 4)}
TIMM = {**SMALL, "num_classes": 5}
TORCHVISION = {**SMALL, "num_classes": 5, "patch_size": [4, 4], "window_size": [4, 4]}
WINDOWS = {"window_sizes": ((4, 4), (4, 4))}
TorchvisionV2 = partial(
    tv.SwinTransformer, block=tv.SwinTransformerBlockV2, downsample_layer=tv.PatchMergingV2
)


def ours(theirs: nn.Module, family: str = "v1", **numbers: object) -> Headed:
    """Return our model of these numbers with their weights."""
    spec = (SpecV2 if family == "v2" else Spec)(**{**SMALL, **WINDOWS, **numbers})
    model = Headed(build(spec), 5).eval()
    load_weights(model, theirs.state_dict())
    return model


def same_weights(**numbers: object) -> list[nn.Module]:
    """Two V1 backbones of equal weights, one for each `border`."""
    borders = numbers.pop("borders")
    models = [build(Spec(**{**SMALL, **WINDOWS, **numbers, "border": border})).eval() for border in borders]
    stirred(models[0])
    for model in models[1:]:
        model.load_state_dict(models[0].state_dict())
    return models


def equal(a: Tensor, b: Tensor) -> bool:
    """To the digits of fp32."""
    return torch.allclose(a, b, atol=1e-4, rtol=1e-4)


# ---- borders


@torch.no_grad()
def test_square_and_clip_differ_on_oblong_grids_only():
    square, clip = same_weights(borders=("square", "clip"), window_sizes=((7, 7), (7, 7)))
    for size, same in (
        ((56, 56), True),
        ((28, 28), True),
        ((56, 112), False),
    ):  # the last stage is 7 x 14 then
        found = [
            model(torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(1)))[-1]
            for model in (square, clip)
        ]
        assert equal(*found) == same


@torch.no_grad()
def test_timm_and_torchvision_clip_or_unshift_each_axis_by_itself():
    """On a grid of 4 x 8 with windows of 4, the long axis is still shifted: not so for Microsoft's."""
    image = torch.randn(1, 3, 32, 64)
    for theirs in (
        stirred(TimmV1(**TIMM, img_size=(32, 64), window_size=4)),
        stirred(tv.SwinTransformer(**TORCHVISION)),
    ):
        expected = theirs.eval()(image)
        assert equal(ours(theirs, border="clip")(image), expected)
        assert not equal(ours(theirs, border="square")(image), expected)


@torch.no_grad()
def test_the_dense_forks_shift_the_last_stage_where_classification_does_not():
    """At 224 pixels stages 1 to 3 agree, and the fourth, 7 x 7, does not."""
    numbers = {"depths": (2, 2, 2, 2), "num_heads": (2, 2, 2, 2), "window_sizes": ((7, 7),) * 4}
    pad, square = same_weights(borders=("pad", "square"), **numbers)
    image = torch.randn(1, 3, 224, 224)
    assert [equal(a, b) for a, b in zip(pad(image), square(image), strict=True)] == [True, True, True, False]


@torch.no_grad()
def test_torchvision_pads_small_maps_up_to_the_window():
    theirs = stirred(tv.SwinTransformer(**TORCHVISION)).eval()
    image = torch.randn(1, 3, 24, 40)  # the last grid is 3 x 5
    assert equal(ours(theirs, border="pad-unshifted")(image), theirs(image))
    assert not equal(ours(theirs, border="clip")(image), theirs(image))
    assert not equal(ours(theirs, border="pad")(image), theirs(image))


@torch.no_grad()
def test_torchvision_v2_never_clips_so_that_checkpoints_with_a_smaller_last_window_are_wrong_there():
    """256 pixels with window 16, whose last grid is 8 x 8: built here at a quarter of the size."""
    theirs = stirred(TorchvisionV2(**{**TORCHVISION, "window_size": [8, 8]})).eval()
    image = torch.randn(1, 3, 32, 32)  # grids 8 x 8 and 4 x 4
    numbers = {"window_sizes": ((8, 8), (8, 8))}
    assert equal(ours(theirs, "v2", border="pad-unshifted", **numbers)(image), theirs(image))
    right = ours(theirs, "v2", window_sizes=((8, 8), (4, 4)))  # as Microsoft builds it
    assert not equal(right(image), theirs(image))


@torch.no_grad()
def test_timm_rolls_before_it_pads():
    """13 x 13 patches, windows of 4: edges see the opposite edges there."""
    theirs = stirred(TimmV1(**TIMM, img_size=52, window_size=4)).eval()
    image = torch.randn(1, 3, 52, 52)
    assert equal(ours(theirs, border="roll-first")(image), theirs(image))
    assert not equal(ours(theirs)(image), theirs(image))


@torch.no_grad()
def test_timm_is_as_all_others_where_windows_divide_the_grid():
    theirs = stirred(TimmV1(**TIMM, img_size=64, window_size=4)).eval()
    image = torch.randn(1, 3, 64, 64)
    assert equal(ours(theirs)(image), theirs(image))


@torch.no_grad()
def test_timm_keeps_the_windows_of_the_size_it_was_built_for():
    """Built for 32 pixels, whose last grid is one window, it does not shift that stage at 64 either."""
    theirs = stirred(TimmV1(**TIMM, img_size=32, window_size=4, strict_img_size=False)).eval()
    small, large = torch.randn(1, 3, 32, 32), torch.randn(1, 3, 64, 64)
    model = ours(theirs)
    assert equal(model(small), theirs(small))
    assert not equal(model(large), theirs(large))
    fresh = TimmV1(**TIMM, img_size=64, window_size=4).eval()
    fresh.load_state_dict(theirs.state_dict())
    assert equal(model(large), fresh(large))


@torch.no_grad()
def test_padding_is_attended_to_by_everyone():
    """13 x 13 tokens in windows of 4: hiding the padding would change the last windows; nobody does."""
    theirs = stirred(tv.SwinTransformer(**TORCHVISION)).eval()
    attention = ours(theirs).backbone.stages[0].blocks[0].token_mixer
    x = torch.randn(1, 13, 13, 8)
    layout = attention.border((13, 13), (4, 4), (0, 0))
    real = layout.partition(torch.ones_like(x))[0, :, :, 0]
    hidden = torch.where(real > 0, 0.0, -100.0)[:, None, None, :]
    qkv = attention.qkv(layout.partition(x)).unflatten(-1, (3, attention.num_heads, -1))
    q, k, v = qkv.permute(3, 0, 1, 4, 2, 5)
    q, k, scale = attention.similarity(q, k)
    without = attend(q * scale, k, v, attention.bias((4, 4)) + hidden, 0.0).transpose(2, 3).flatten(3)
    without = attention.proj(layout.merge(without))
    assert equal(attention(x), theirs.features[1][0].attn(x))
    assert equal(without[:, :12, :12], attention(x)[:, :12, :12])
    assert not equal(without[:, 12:], attention(x)[:, 12:])


@torch.no_grad()
def test_torchvision_drops_the_pixels_that_fill_no_patch():
    """50 pixels are 12 patches there and 13 here, the last one padded, as in the dense forks."""
    theirs = stirred(tv.SwinTransformer(**TORCHVISION)).eval()
    image = torch.randn(1, 3, 50, 50)
    model = ours(theirs)
    assert theirs.features[0](image).shape[1:3] == (12, 12)
    assert model.backbone(image)[0].shape[1:3] == (13, 13)
    assert equal(ours(theirs, border="pad-unshifted")(image[..., :48, :48]), theirs(image))


# ---- position


@torch.no_grad()
def test_torchvision_3d_slices_the_flat_index_of_a_clipped_window():
    """As Video Swin does: right where time alone is clipped, else pairs get the bias of another offset."""
    numbers = {"patch": (2, 4, 4), "merge": (1, 2, 2), "window_sizes": ((4, 4, 4),) * 2}
    theirs = stirred(
        SwinTransformer3d(**{**TORCHVISION, "patch_size": [2, 4, 4], "window_size": [4, 4, 4]})
    ).eval()
    short, small = torch.randn(1, 3, 4, 32, 32), torch.randn(1, 3, 8, 24, 24)
    right = ours(theirs, "video", **numbers)
    published = ours(theirs, "video", clipped_bias="leading", **numbers)
    assert equal(published(short), theirs(short))
    assert equal(right(short), theirs(short))
    assert equal(published(small), theirs(small))
    assert not equal(right(small), theirs(small))


def test_offsets_of_v2_are_as_released_not_as_printed():
    """The paper prints a natural logarithm of plain offsets; weights know base 2, up to 1.0566."""
    theirs = TimmV2(**TIMM, img_size=64, window_size=8).layers[0].blocks[0].attn.relative_coords_table[0]
    found = log_offsets((8, 8), (8, 8), torch.device("cpu"), torch.float32)
    torch.testing.assert_close(found, theirs)
    assert found.max().item() == pytest.approx(torch.tensor(9.0).log2().item() / 3)
    assert abs(found.max() - torch.tensor(8.0).log()) > 0.5


def test_a_window_of_one_token_is_nan_in_torchvision_v2_and_zero_here():
    with torch.no_grad():
        theirs = TorchvisionV2(**{**TORCHVISION, "window_size": [1, 1]}).eval()
        image = torch.randn(1, 3, 32, 32)
        assert theirs(image).isnan().any()
        backbone = build(SpecV2(**SMALL, window_sizes=((1, 1), (1, 1)))).eval()
        assert backbone(image)[-1].isfinite().all()


@torch.no_grad()
def test_torchvision_v2_knows_no_window_of_pretraining():
    """So weights whose windows grew (12 to 16, 12 to 24) cannot be run exactly there; timm can."""
    given = {"img_size": 64, "window_size": 8, "pretrained_window_sizes": (4, 4)}
    theirs = stirred(TimmV2(**TIMM, **given)).eval()
    image = torch.randn(1, 3, 64, 64)
    numbers = {"window_sizes": ((8, 8), (8, 8))}
    assert equal(
        ours(theirs, "v2", pretrained_window_sizes=((4, 4), (4, 4)), **numbers)(image), theirs(image)
    )
    assert not equal(ours(theirs, "v2", **numbers)(image), theirs(image))


# ---- attention and block


@torch.no_grad()
def test_torchvision_v2_stores_a_key_bias_and_ignores_it():
    theirs = stirred(TorchvisionV2(**TORCHVISION)).eval()
    image = torch.randn(1, 3, 64, 64)
    before = theirs(image)
    attention = theirs.features[1][0].attn
    attention.qkv.bias[8:16] += 1.0
    assert torch.equal(theirs(image), before)
    assert not any("k_bias" in name for name in ours(theirs, "v2").state_dict())
    assert equal(ours(theirs, "v2")(image), before)


def test_a_zero_key_is_nan_in_fp16_with_the_published_guard():
    """1e-12 is 0 in fp16. V2's keys have no bias, so padding has the key 0."""
    zero = torch.zeros(1, 8, dtype=torch.float16)
    norm = zero.float().norm(dim=-1, keepdim=True).half()
    assert (zero / norm.clamp_min(1e-12)).isnan().all()
    similarity = build(SpecV2(**SMALL, **WINDOWS)).half().stages[0].blocks[0].token_mixer.similarity
    q, k, _ = similarity(zero.expand(2, 3, 8), zero.expand(2, 3, 8))
    assert q.isfinite().all()
    assert k.isfinite().all()


def test_norms_of_new_v2_blocks_are_zero_here_and_in_timm_and_one_in_torchvision():
    here = build(SpecV2(**SMALL, **WINDOWS)).stages[0].blocks[0]
    timms = TimmV2(**TIMM, img_size=64, window_size=4).layers[0].blocks[0]
    assert here.norm1.weight.abs().max() == timms.norm1.weight.abs().max() == 0
    assert (TorchvisionV2(**TORCHVISION).features[1][0].norm1.weight == 1).all()


def test_every_norm_has_the_epsilon_of_all_ports():
    """1e-5, not the 1e-6 of ViTs."""
    theirs = [TimmV1(**TIMM, img_size=64, window_size=4), tv.SwinTransformer(**TORCHVISION)]
    for model in (
        *theirs,
        Pyramid(build(Spec(**SMALL, **WINDOWS)), (0, 1)),
        Headed(build(SpecV2(**SMALL, **WINDOWS)), 5),
    ):
        assert {module.eps for module in model.modules() if isinstance(module, nn.LayerNorm)} == {1e-5}


def test_drop_path_rises_over_all_blocks_as_in_timm_and_torchvision():
    here = build(Spec(**SMALL, **WINDOWS, drop_path=0.3))
    rates = [block.drop_path.rate for stage in here.stages for block in stage.blocks]
    timms = TimmV1(**TIMM, img_size=64, window_size=4, drop_path_rate=0.3)
    others = tv.SwinTransformer(**TORCHVISION, stochastic_depth_prob=0.3)
    assert rates == pytest.approx(
        [getattr(b.drop_path1, "drop_prob", 0.0) for stage in timms.layers for b in stage.blocks]
    )
    assert rates == pytest.approx([m.p for m in others.modules() if type(m).__name__ == "StochasticDepth"])


# ---- pyramid


@torch.no_grad()
def test_stages_end_before_merging_as_in_timm_and_torchvision():
    """Microsoft's layers end with the merging; timm's begin with it; features are the same ones."""
    theirs = stirred(TimmV1(**TIMM, img_size=64, window_size=4)).eval()
    image = torch.randn(1, 3, 64, 64)
    features = ours(theirs).backbone(image)
    _, stages = theirs.forward_intermediates(image)
    for found, expected in zip(features, stages, strict=True):
        torch.testing.assert_close(found.movedim(-1, 1), expected, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_norms_of_outputs_belong_to_the_head():
    """Classifiers norm the last stage, dense forks each output: backbones give plain features."""
    theirs = stirred(TimmV1(**TIMM, img_size=64, window_size=4)).eval()
    image = torch.randn(1, 3, 64, 64)
    model = ours(theirs)
    features = model.backbone(image)
    torch.testing.assert_close(
        model.head.norm(features[-1]), theirs.forward_features(image), atol=1e-4, rtol=1e-4
    )
    maps = Pyramid(model.backbone, (0, 1))(image)
    torch.testing.assert_close(maps[0], F.layer_norm(features[0], (8,)).movedim(-1, 1))

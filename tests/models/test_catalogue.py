"""Names: ours, the official stems, timm's and torchvision's, and what a wrong one gets."""

import re

import pytest
import torch

from swinkit.errors import UsageError
from swinkit.models.catalogue import ALIASES, canonical_name, find_variant, suggest
from swinkit.models.counts import num_parameters
from swinkit.models.specs import VARIANTS


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("swin-t", "swin-t"),
        ("swin_tiny_patch4_window7_224", "swin-t"),
        ("swin_tiny_patch4_window7_224_22k", "swin-t"),
        ("swin_tiny_patch4_window7_224_22kto1k_finetune", "swin-t"),
        ("swin_large_patch4_window12_384_22kto1k", "swin-l-w12-384"),
        ("swinv2_base_patch4_window12to24_192to384_22kto1k_ft", "swinv2-b-w24-from12"),
        ("swin_base_patch244_window877_kinetics600_22k", "video-swin-b"),
        ("swin_base_patch244_window1677_sthv2", "video-swin-b-w16x7x7"),
        ("swin_base_patch4_window7_224.ms_in22k_ft_in1k", "swin-b"),
        ("swinv2_tiny_window16_256.ms_in1k", "swinv2-t-w16"),
        ("swin_v2_b", "swinv2-b"),
        ("swin_v2_t-b137f0e2.pth", "swinv2-t"),
        ("swin_base_patch4_window7_224_in22k", "swin-b"),
        ("simmim_finetune__swin_large__img224_window14__800ep", "swin-l-w14"),
        ("swin_large_384_patch244_window8_12_12", "video-swin-l-w8x12x12-384"),
        ("swin3d_s", "video-swin-s"),
        ("swin_tiny_patch4_window7_224.pth", "swin-t"),
        ("microsoft/swin-tiny-patch4-window7-224", "swin-t"),
        ("microsoft/swin-base-patch4-window12-384-in22k", "swin-b-w12-384"),
        ("microsoft/swin-base-simmim-window6-192", "swin-b-w6-192"),
        ("microsoft/swinv2-large-patch4-window12to24-192to384-22kto1k-ft", "swinv2-l-w24-from12"),
        ("openmmlab/upernet-swin-small", "swin-s"),
        ("timm/swinv2_cr_small_ns_224.sw_in1k", "swinv2-cr-s-ns"),
        ("swin_s3_base_224", "swin-s3-b"),
        ("swin_mlp_tiny_c6_patch4_window8_256", "swin-mlp-t-c6"),
        ("swin_moe_small_patch4_window12_192_cosine_router_32expert_32gpu_22k", "swin-moe-s-32e-cosine"),
        ("swin_moe_base_patch4_window12_192_32expert_top2 (table row only)", "swin-moe-b-32e-top2"),
        ("swinv2_giant (paper, SwinV2-G 3B)", "swinv2-g"),
        ("simmim_swinv2_giant_data_scaling", "swinv2-g-simmim"),
        ("moby_cascade_mask_rcnn_swin_tiny_patch4_window7_3x", "swin-t"),
        ("htc++_swin_large_22k (paper only)", "swin-l"),
    ],
)
def test_other_libraries_names_are_understood(alias: str, name: str) -> None:
    assert canonical_name(alias) == name


def test_timms_names_give_timms_numbers() -> None:
    """Parameters, windows, heads and sizes of the models that timm builds by these names."""
    import timm

    ours, theirs = {}, {}
    for name in timm.list_models("swin*"):
        with torch.device("meta"):
            model = timm.create_model(name)
        variant = find_variant(name)[1]
        stages = model.stages if variant.family == "v2-cr" else model.layers
        parameters = num_parameters(variant.spec, model.num_classes)
        ours[name] = (parameters, variant.spec.window_sizes, variant.spec.num_heads, variant.size)
        theirs[name] = (
            sum(parameter.numel() for parameter in model.parameters()),
            tuple(tuple(stage.blocks[0].window_size) for stage in stages),
            tuple(stage.blocks[0].attn.num_heads for stage in stages),
            tuple(model.patch_embed.img_size),
        )
    assert ours == theirs


def test_timms_tags_and_ids_of_the_hub_are_understood() -> None:
    import timm

    for name in timm.list_pretrained("swin*"):
        assert find_variant(f"timm/{name}") == find_variant(name) == find_variant(name.split(".")[0])


def test_torchvisions_names_are_known() -> None:
    from torchvision.models import swin_transformer
    from torchvision.models.video import swin_transformer as video

    listed = [*swin_transformer.__all__, *video.__all__]
    names = [name for name in listed if re.fullmatch(r"swin[^A-Z]*", name)]
    assert len(names) == 9
    assert [name for name in names if canonical_name(name) is None] == []


def test_a_near_miss_is_suggested() -> None:
    with pytest.raises(
        UsageError,
        match=r"unknown model 'swin_tiny_patch4_window7_244', did you mean 'swin_tiny_patch4_window7_224'\?",
    ):
        find_variant("swin_tiny_patch4_window7_244")


def test_nonsense_gets_no_suggestion_but_the_way_to_the_list() -> None:
    with pytest.raises(UsageError, match=r"unknown model 'resnet'; `swinkit models` lists all"):
        find_variant("resnet")


def test_no_alias_is_a_name_or_given_twice() -> None:
    given = [alias for variant in VARIANTS.values() for alias in variant.aliases]
    assert len(given) == len(set(given)) == len(ALIASES)
    assert not set(given) & set(VARIANTS)


@pytest.mark.parametrize(
    ("word", "nearest"),
    [
        ("swin-t-unknown", "swin-t"),  # which resembles swinv2-t-w16 more, but begins with this
        ("swinv2-t-w16-more", "swinv2-t-w16"),  # of those that it begins with, the longest
        ("swin-v2-t-w16", "swinv2-t-w16"),  # a slip comes first
        ("swn-t", "swin-t"),
    ],
)
def test_what_is_meant_by_a_word(word: str, nearest: str) -> None:
    assert suggest(word, list(VARIANTS)) == f", did you mean {nearest!r}?"


def test_nothing_is_meant_by_a_word_that_resembles_nothing() -> None:
    assert suggest("resnet", list(VARIANTS)) == ""

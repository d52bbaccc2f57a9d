"""Names: ours, the official stems, timm's and torchvision's, and what a wrong one gets."""

import pytest

from swinkit.errors import UsageError
from swinkit.models.catalogue import ALIASES, canonical, find
from swinkit.models.config import spec_from_json, spec_to_json
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
    ],
)
def test_other_libraries_names_are_understood(alias: str, name: str) -> None:
    assert canonical(alias) == name


def test_a_near_miss_is_suggested() -> None:
    with pytest.raises(
        UsageError,
        match=r"unknown model 'swin_tiny_patch4_window7_244', did you mean 'swin_tiny_patch4_window7_224'\?",
    ):
        find("swin_tiny_patch4_window7_244")


def test_nonsense_gets_no_suggestion_but_the_way_to_the_list() -> None:
    with pytest.raises(UsageError, match=r"unknown model 'resnet'; `swinkit models` lists all"):
        find("resnet")


def test_no_alias_is_a_name_or_given_twice() -> None:
    given = [alias for variant in VARIANTS.values() for alias in variant.aliases]
    assert len(given) == len(set(given)) == len(ALIASES)
    assert not set(given) & set(VARIANTS)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_spec_survives_json(name: str) -> None:
    variant = VARIANTS[name]
    assert spec_from_json(variant.family, spec_to_json(variant.spec)) == variant.spec

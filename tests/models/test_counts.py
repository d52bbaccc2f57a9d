"""The torch-free counts against the built modules, the official code's counts and the papers' tables."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode

from swinkit.core.spec import Spec
from swinkit.heads.classify import ClassificationHead
from swinkit.models.build import build
from swinkit.models.catalogue import canonical
from swinkit.models.counts import num_macs, num_parameters
from swinkit.models.families import SpecV2
from swinkit.models.specs import VARIANTS

PAPER_NAMES = {  # rows of paper_tables.yaml that are not named by a file stem
    ("Swin-T", 224): "swin-t",
    ("Swin-S", 224): "swin-s",
    ("Swin-B", 224): "swin-b",
    ("Swin-B", 384): "swin-b-w12-384",
    ("Swin-L 22k", 224): "swin-l",
    ("Swin-L 22k", 384): "swin-l-w12-384",
    ("SwinV2-T w8", 256): "swinv2-t",
    ("SwinV2-S w8", 256): "swinv2-s",
    ("SwinV2-B w8", 256): "swinv2-b",
    ("SwinV2-T w16", 256): "swinv2-t-w16",
    ("SwinV2-S w16", 256): "swinv2-s-w16",
    ("SwinV2-B w16", 256): "swinv2-b-w16",
    ("SwinV2-B 22k 12to24", 384): "swinv2-b-w24-from12",
    ("SwinV2-L 22k 12to16", 256): "swinv2-l-w16-from12",
    ("SwinV2-L 22k 12to24", 384): "swinv2-l-w24-from12",
}
VIDEO_NAMES = {
    "Swin-T K400": ("video-swin-t", 400),
    "Swin-S K400": ("video-swin-s", 400),
    "Swin-B 1k K400": ("video-swin-b", 400),
    "Swin-L 22k K400": ("video-swin-l", 400),
    "Swin-L 384 K400 10x5": ("video-swin-l-w8x12x12-384", 400),
    "Swin-B 22k K600": ("video-swin-b", 600),
    "Swin-B SSv2": ("video-swin-b-w16x7x7", 174),
}
UNUSUAL = {
    "v1": Spec(
        patch=(2, 4),
        in_channels=5,
        embed_dim=12,
        depths=(1, 3),
        num_heads=(2, 3),
        window_sizes=((3, 5), (2, 2)),
        mlp_ratio=2.5,
        qkv_bias=False,
        patch_norm=False,
        absolute_grid=(6, 7),
    ),
    "v2": SpecV2(
        embed_dim=12, depths=(2, 1), num_heads=(2, 3), window_sizes=((4, 4), (3, 3)), qkv_bias=False
    ),
    "video": Spec(
        patch=(2, 4, 4),
        merge=(1, 2, 2),
        embed_dim=12,
        depths=(2, 1),
        num_heads=(2, 3),
        window_sizes=((2, 3, 3),) * 2,
    ),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_counted_parameters_are_those_of_the_built_modules(name: str) -> None:
    variant = VARIANTS[name]
    with torch.device("meta"):
        swin = build(variant.spec)
        head = ClassificationHead(variant.spec.widths[-1], variant.num_classes)
    built = sum(p.numel() for module in (swin, head) for p in module.parameters())
    assert num_parameters(variant.spec, variant.num_classes) == built


@pytest.mark.parametrize("family", UNUSUAL)
def test_unusual_options_are_counted(family: str) -> None:
    spec = UNUSUAL[family]
    with torch.device("meta"):
        built = sum(p.numel() for p in build(spec).parameters())
    assert num_parameters(spec) == built


@pytest.mark.parametrize("name", ["swin-pico", "swin-t", "swin-t-c24-w8-256", "swinv2-t-w16", "video-swin-t"])
def test_counted_macs_are_those_that_torch_counts(name: str) -> None:
    variant = VARIANTS[name]
    with torch.device("meta"), FlopCounterMode(display=False) as counter, torch.no_grad():
        swin = build(variant.spec)
        head = ClassificationHead(variant.spec.widths[-1], variant.num_classes)
        head(swin(torch.empty(1, 3, *variant.size))[-1])
    counted = num_macs(variant.spec, variant.size, variant.num_classes)
    bias_mlps = counter.get_total_flops() / 2 - counted  # V2's, which the rule leaves out
    assert bias_mlps == pytest.approx(bias_macs(variant.family, variant.spec), abs=0.5)


def bias_macs(family: str, spec: Spec) -> int:
    """Multiply-adds of V2's bias MLPs: (2w - 1)^2 offsets through 2 -> 512 -> heads, once a block."""
    if family != "v2":
        return 0
    blocks = zip(spec.depths, spec.num_heads, spec.window_sizes, strict=True)
    return sum(d * (2 * h - 1) * (2 * w - 1) * 512 * (2 + heads) for d, heads, (h, w) in blocks)


# SwinV2-H is no variant here yet.
OTHERS = ("simmim_swinv2_huge_224", "simmim_swinv2_huge_512")
TASKS = ("classification", "video_classification", "simmim_pretrain")


def published(shared: Path) -> list[dict[str, Any]]:
    """The entries of variants.yaml that have a count, without the other families and tasks."""
    entries = yaml.safe_load((shared / "facts" / "variants.yaml").read_text())["models"]
    return [
        entry
        for entry in entries
        if entry["family"] in ("v1", "v2", "video")
        and entry["task"] in TASKS
        and entry.get("measured", {}).get("params")
        and entry["name"] not in OTHERS
    ]


def test_every_published_variant_has_the_official_counts(shared: Path) -> None:
    entries = published(shared)
    assert len(entries) == 47
    for entry in entries:
        name = canonical(entry["name"].removesuffix(" (paper only)"))
        assert name is not None, entry["name"]
        variant, classes = VARIANTS[name], entry["num_classes"] or 1000
        measured = entry["measured"]
        params = measured["params"] if entry["num_classes"] else measured["params_with_1k_head"]
        assert num_parameters(variant.spec, classes) == params, entry["name"]
        macs = measured.get("official_flops_fn_GMACs") or measured.get("GMACs_32f")
        if macs:
            counted = num_macs(variant.spec, variant.size, entry["num_classes"])
            assert counted / 1e9 == pytest.approx(macs, rel=0.001), entry["name"]


def test_the_papers_tables_are_met(shared: Path) -> None:
    tables = yaml.safe_load((shared / "facts" / "paper_tables.yaml").read_text())
    rows = {(row["model"], row["size"]): row for key in ("v1_imagenet", "v2_imagenet") for row in tables[key]}
    for key, name in PAPER_NAMES.items():
        variant, row = VARIANTS[name], rows[key]
        if "measured_params" in row:
            assert num_parameters(variant.spec, 1000) == row["measured_params"], key
        assert num_macs(variant.spec, variant.size, 1000) / 1e9 == pytest.approx(
            row["measured_G"], rel=0.005
        ), key
    clips = {row["model"]: row for row in tables["video"] if "model" in row}
    for key, (name, classes) in VIDEO_NAMES.items():
        variant, row = VARIANTS[name], clips[key]
        assert num_parameters(variant.spec, classes) == row["measured_params"], key
        if "measured_GMACs_32f" in row:
            assert num_macs(variant.spec, variant.size, classes) / 1e9 == pytest.approx(
                row["measured_GMACs_32f"], rel=0.005
            )

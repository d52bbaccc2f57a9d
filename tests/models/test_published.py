"""Every published model has a variant, with the numbers and counts of the papers and of the official code."""

from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import pytest

from swinkit.core.spec import Spec
from swinkit.models.catalogue import find_variant
from swinkit.models.counts import ceil_div, num_macs, num_parameters
from swinkit.models.families import SpecMoE, SpecV2
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
MLP_NAMES = {
    "SwinMLP-T/C24": "swin-mlp-t-c24",
    "SwinMLP-T/C12": "swin-mlp-t-c12",
    "SwinMLP-T/C6": "swin-mlp-t-c6",
    "SwinMLP-B": "swin-mlp-b",
    "Swin-T/C24": "swin-t-c24-w8-256",
}
MOE_NAMES = {
    **{f"{size.upper()} {n}e": f"swin-moe-{size}-{n}e" for size in "sb" for n in (8, 16, 32)},
    "S dense": "swin-moe-s-dense",
    "S 32e cosine": "swin-moe-s-32e-cosine",
    "S 64e": "swin-moe-s-64e",
    "S 128e": "swin-moe-s-128e",
    "B dense": "swin-moe-b-dense",
    "B 32e cosine": "swin-moe-b-32e-cosine",
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
DENSE = ("detection", "detection+instance_seg", "semantic_segmentation")  # whose counts are of whole models


def published(shared: Path) -> list[dict[str, Any]]:
    """Return the entries of variants.yaml."""
    import yaml

    return yaml.safe_load((shared / "facts" / "variants.yaml").read_text())["models"]


def test_rates_of_every_swin_moe_are_those_of_its_configuration(shared: Path) -> None:
    entries = [entry for entry in published(shared) if entry["family"] == "moe"]
    assert len(entries) == 13
    for entry in entries:
        spec = find_variant(entry["name"])[1].spec
        assert isinstance(spec, SpecMoE)
        rates = (spec.drop_path, spec.dropout, spec.attention_dropout)
        official = tuple(entry[f"{rate}_rate"] for rate in ("drop_path", "drop", "attn_drop"))
        assert rates == official, entry["name"]
        dropped = next(iter(numbers_named("moe_drop", entry)), 0.0)
        assert spec.expert_dropout == dropped, entry["name"]


def numbers_named(name: str, entry: Any) -> list[float]:
    """All values of `name`, at any depth."""
    if not isinstance(entry, dict):
        return []
    inside = [value for part in entry.values() for value in numbers_named(name, part)]
    return [entry[name], *inside] if name in entry else inside


def test_every_entry_has_a_variant_of_its_numbers(shared: Path) -> None:
    """Detectors and segmenters have that of their backbone."""
    entries = published(shared)
    assert len(entries) == 96
    for entry in entries:
        _, variant = find_variant(entry["name"])
        spec = variant.spec
        assert variant.family == entry["family"], entry["name"]
        assert (spec.embed_dim, list(spec.depths), list(spec.num_heads)) == (
            entry["embed_dim"],
            entry["depths"],
            entry["num_heads"],
        ), entry["name"]
        if windows := entry.get("effective_window_per_stage"):
            assert spec.window_sizes == tuple((w, w) for w in windows), entry["name"]
        for name in entry.get("timm_names") or []:
            assert find_variant(name)[1] == variant, name


def test_every_published_classifier_has_the_official_parameters(shared: Path) -> None:
    """To the digit. Those of V2-H and V2-G leave out the norms on the main branch: no code has them."""
    counted = 0
    for entry in published(shared):
        if entry["task"] in DENSE:
            continue
        measured, spec = entry["measured"], find_variant(entry["name"])[1].spec
        plain = replace(spec, norm_every=None) if isinstance(spec, SpecV2) else spec
        classes = entry.get("num_classes") or 1000
        found = {
            "params": num_parameters(plain, classes),
            "params_with_1k_head": num_parameters(plain, 1000),
            "backbone_params_no_head": num_parameters(plain) + 2 * spec.widths[-1],  # with the last norm
            "with_extra_norms": num_parameters(spec, 1000),
            "extra_norm_params": num_parameters(spec) - num_parameters(plain),
        }
        for what in found.keys() & measured.keys():
            assert found[what] == measured[what], (entry["name"], what)
            counted += 1
    assert counted > 130


def test_every_published_classifier_has_the_official_multiply_adds(shared: Path) -> None:
    """To the last printed digit, once the norms that the official function counts are added."""
    counted = 0
    for entry in published(shared):
        variant, measured = find_variant(entry["name"])[1], entry.get("measured", {})
        spec = variant.spec
        if isinstance(spec, SpecMoE):  # the official function knows no experts
            spec = replace(spec, moe_blocks=((),) * len(spec.depths))
        official = measured.get("official_flops_fn_GMACs") or measured.get("dense_flops_fn_GMACs")
        if official:
            classes = 1000 if entry["task"] == "simmim_pretrain" else entry.get("num_classes", 0)
            found = num_macs(spec, variant.size, classes) + official_norms(spec, variant.size)
            assert round(found / 1e9, len(str(official).split(".")[1])) == official, entry["name"]
        elif clips := measured.get("GMACs_32f"):
            found = num_macs(spec, variant.size, entry["num_classes"]) / 1e9
            assert found == pytest.approx(clips, rel=0.001), entry["name"]
        counted += bool(official or clips)
    assert counted > 60


def official_norms(spec: Spec, size: tuple[int, ...]) -> int:
    """Return the operations that the official function adds: one for each number that a norm takes."""
    grid = ceil_div(size, spec.patch)
    total = prod(grid) * (spec.embed_dim + spec.widths[-1] // 2 ** len(spec.depths))
    for stage, (depth, width) in enumerate(zip(spec.depths, spec.widths, strict=True)):
        total += 2 * depth * prod(grid) * width
        if stage < len(spec.depths) - 1:
            total += prod(grid) * width // (2 if isinstance(spec, SpecV2) else 1)
            grid = ceil_div(grid, spec.merge)
    return total


def test_the_papers_tables_are_met(shared: Path) -> None:
    import yaml

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
    hub = {row["model"]: row for key in ("mlp_imagenet", "moe_in22k") for row in tables[key]}
    for key, name in {**MLP_NAMES, **MOE_NAMES}.items():
        variant, row = VARIANTS[name], hub[key]
        assert num_parameters(variant.spec, variant.num_classes) == row["measured_params"], key
        if "measured_G" in row:
            macs = num_macs(variant.spec, variant.size, variant.num_classes)
            assert macs / 1e9 == pytest.approx(row["measured_G"], rel=0.005), key
    (huge,) = (row for row in tables["simmim"] if "measured_params_1k" in row)
    spec = replace(VARIANTS["swinv2-h-w14-224-from12"].spec, norm_every=None)
    assert num_parameters(spec, 1000) == huge["measured_params_1k"]


def test_the_largest_are_those_of_the_papers() -> None:
    """V2-G has 3.0 billion parameters; timm's V2-CR of that name, two blocks shorter, has 2.6."""
    assert num_parameters(VARIANTS["swinv2-g"].spec, 1000) == 3_001_912_008 + 28_672
    assert num_parameters(VARIANTS["swinv2-cr-g"].spec, 1000) / 1e9 == pytest.approx(2.6, abs=0.01)
    assert num_parameters(VARIANTS["swinv2-g-simmim"].spec) / 1e9 == pytest.approx(1.06, abs=0.01)

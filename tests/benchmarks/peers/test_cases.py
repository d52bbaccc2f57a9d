"""What can be measured, by name, and how many operations it takes."""

import pytest

from benchmarks.peers.cases import (
    CASES,
    CPU,
    GPU,
    TRAINING,
    VIT,
    Case,
    cases_for,
    matches,
    require_cases,
    square,
    vit_macs,
)
from swinkit.errors import UsageError


def names(*chosen: str, device: str = "cpu", quick: bool = True) -> list[str]:
    return [row.name for row in cases_for(device, chosen or None, quick=quick)]


def test_every_row_has_a_name_of_its_own() -> None:
    assert len(CASES) == len(CPU) + len(GPU)


def test_a_quick_run_is_a_part_of_the_full_one() -> None:
    quick, full = names(), names(quick=False)
    assert set(quick) < set(full)
    assert full == [row.name for row in CPU]


def test_a_name_is_a_row_and_the_beginning_of_names_are_several() -> None:
    assert names("swin-t-224-b8") == ["swin-t-224-b8"]  # and not the training step, which begins so
    assert names("growth") == [f"growth-{side}" for side in (224, 448, 672, 896, 1344, 1792)]
    assert matches("swin-t-224-b", CASES["swin-t-224-b8-train"])


def test_an_unknown_row_is_told_with_the_one_that_was_meant() -> None:
    with pytest.raises(UsageError, match=r"unknown case 'swin-t-225-b1', did you mean 'swin-t-224-b1'\?"):
        require_cases(["swin-t-225-b1"], ["cpu"])
    with pytest.raises(UsageError, match="swin-b-224-b64-gpu"):
        require_cases(["swin-b-224-b64-gpu"], ["cpu"])


def test_operations_are_two_for_each_published_multiply_add_and_three_times_as_many_in_a_step() -> None:
    row = CASES["swin-t-224-b8"]
    assert row.operations("timm") / 8 / 2e9 == pytest.approx(4.49, abs=0.01)
    assert CASES["swin-t-224-b8-train"].operations("timm") == 3 * row.operations("timm")


def test_the_rival_of_growth_has_its_published_multiply_adds() -> None:
    assert vit_macs(square(224)) / 1e9 == pytest.approx(17.58, abs=0.03)
    assert CASES["growth-224"].operations(VIT) == 2 * vit_macs(square(224))


def test_its_operations_grow_faster_than_the_pixels_and_ours_do_not() -> None:
    small, large = CASES["growth-224"], CASES["growth-1792"]
    assert large.operations("swinkit") / small.operations("swinkit") == pytest.approx(64, rel=0.01)
    assert large.operations(VIT) / small.operations(VIT) > 200


def test_a_title_says_what_is_done() -> None:
    row = Case(variant="swin-t", size=(800, 1333), batch=1)
    assert row.title == "swin-t 800x1333, batch 1, inference"
    assert row.name == "swin-t-800x1333-b1"
    assert Case(variant="swin-t", size=square(224), batch=8, workload=TRAINING).is_training

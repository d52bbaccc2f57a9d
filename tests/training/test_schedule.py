"""The learning rate over a training. Microsoft's own numbers are in the golden case `lr_schedule_a`."""

import math
from dataclasses import replace

import pytest

from swinkit.errors import UsageError
from swinkit.settings.schedule import Schedule, learning_rate

EPOCH = 10  # steps
SCHEDULE = Schedule(epochs=10, warmup_epochs=2, warmup_lr=0.0, final_lr=0.1)


def rates(schedule: Schedule, *steps: int, peak: float = 1.0) -> list[float]:
    return [learning_rate(step, EPOCH, peak, schedule) for step in steps]


def test_it_rises_linearly_to_the_peak_and_falls_along_a_cosine_to_the_final_rate() -> None:
    assert rates(SCHEDULE, 0, 10, 20, 60, 100) == pytest.approx([0, 0.5, 1.0, 0.55, 0.1])


def test_without_warmup_it_starts_at_the_peak() -> None:
    assert rates(replace(SCHEDULE, warmup_epochs=0), 0) == [1.0]


def test_a_cosine_from_the_first_step_is_hidden_by_the_warmup_until_it_ends() -> None:
    hidden = replace(SCHEDULE, after_warmup=False)
    assert rates(hidden, 10) == [0.5]
    assert rates(hidden, 20)[0] == pytest.approx(0.1 + 0.9 * (1 + math.cos(math.pi * 0.2)) / 2)


def test_warmup_and_final_rate_are_the_same_for_groups_of_other_peaks() -> None:
    slow = replace(SCHEDULE, warmup_lr=0.02)
    assert rates(slow, 0, 100, peak=0.05) == pytest.approx([0.02, 0.1])  # it ends above its own peak


def test_drops_come_at_their_epochs_or_every_so_many() -> None:
    dropping = replace(SCHEDULE, kind="multistep", at=(5, 8))
    assert rates(dropping, 49, 50, 79, 80) == pytest.approx([1, 0.1, 0.1, 0.01])
    regular = replace(SCHEDULE, kind="step", at=(3,), factor=0.5)
    assert rates(regular, 29, 30, 60, 90) == pytest.approx([1, 0.5, 0.25, 0.125])


def test_linear_poly_and_constant() -> None:
    assert rates(replace(SCHEDULE, kind="linear"), 20, 60, 100) == pytest.approx([1, 0.505, 0.01])
    square = replace(SCHEDULE, kind="poly", warmup_epochs=0, final_lr=0.0, power=2.0)
    assert rates(square, 0, 50, 100, 120) == pytest.approx([1, 0.25, 0, 0])
    assert rates(replace(SCHEDULE, kind="constant"), 10, 20, 99) == [0.5, 1.0, 1.0]


def test_detection_as_mmcv_500_steps_from_a_thousandth_then_drops_by_epoch() -> None:
    detection = Schedule(
        kind="multistep",
        epochs=12,
        warmup_epochs=500 / 7330,  # COCO in batches of 16
        warmup_share=0.001,
        at=(8, 11),
        by_epoch=True,
    )
    found = [learning_rate(step, 7330, 1e-4, detection) for step in (0, 250, 500, 8 * 7330 - 1, 8 * 7330)]
    assert found == pytest.approx([1e-7, 1e-4 * (1 - 0.5 * 0.999), 1e-4, 1e-4, 1e-5], rel=1e-12)


def test_segmentation_as_mmcv_warms_up_towards_the_falling_line() -> None:
    segmentation = Schedule(
        kind="poly", epochs=160, warmup_epochs=1.5, warmup_share=1e-6, final_lr=0.0
    )  # of 1,000 steps each
    found = [learning_rate(step, 1000, 6e-5, segmentation) for step in (0, 750, 1500, 80_000)]
    halfway = 6e-5 * (1 - 750 / 160_000) * (1 - 0.5 * (1 - 1e-6))
    assert found == pytest.approx([6e-11, halfway, 6e-5 * (1 - 1500 / 160_000), 3e-5], rel=1e-12)


def test_video_as_mmcv_keeps_the_cosine_for_an_epoch_under_a_warmup_in_steps() -> None:
    video = Schedule(
        epochs=30, warmup_epochs=2.5, warmup_share=0.1, final_lr=0.0, after_warmup=False, by_epoch=True
    )
    tenth = (1 + math.cos(math.pi * 10 / 30)) / 2
    assert rates(video, 100, 109) == pytest.approx([tenth] * 2)
    second = (1 + math.cos(math.pi / 30)) / 2
    assert rates(video, 12)[0] == pytest.approx(second * (1 - (1 - 12 / 25) * 0.9))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "cosinus"}, "schedule.kind is 'cosinus'; it must be one of cosine, linear"),
        ({"epochs": 0}, "schedule.epochs is 0"),
        ({"warmup_epochs": 10}, "schedule.warmup_epochs is 10; it must be 0 or more and below"),
        ({"warmup_lr": -1.0}, "schedule.warmup_lr"),
        ({"warmup_share": 2.0}, r"schedule.warmup_share is 2.0; it must be in \[0, 1\]"),
        ({"final_lr": -1.0}, "schedule.final_lr"),
        ({"power": 0.0}, "schedule.power"),
        ({"factor": 0.0}, "schedule.factor"),
        ({"at": (5,)}, r"schedule.at is \(5,\); it must be empty for cosine"),
        ({"kind": "multistep"}, "schedule.at is .*; it must be one or more epochs for multistep"),
        ({"kind": "multistep", "at": (8, 5)}, "schedule.at is .*; it must be ascending"),
        ({"kind": "multistep", "at": (1, 5)}, "schedule.at is .*; it must be after the warm-up"),
        ({"kind": "step", "at": (3, 6)}, "schedule.at is .*; it must be one number of epochs for step"),
        ({"kind": "step", "at": (0,)}, "schedule.at is .*; it must be above 0"),
    ],
)
def test_what_cannot_be_scheduled_is_refused(change: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        replace(SCHEDULE, **change)

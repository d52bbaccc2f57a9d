"""The numbers that a training tells of itself."""

import time

import torch

from swinkit.runs.step_report import Stopwatch, clock, memory_used


def test_hours_minutes_and_seconds():
    assert [clock(seconds) for seconds in (0, 59.6, 3725)] == ["0:00:00", "0:01:00", "1:02:05"]


def test_the_stopwatch_tells_waiting_from_work():
    watch = Stopwatch()
    with watch.waiting():
        time.sleep(0.04)
    time.sleep(0.01)
    assert watch.lap() >= 0.05
    assert 0.5 < watch.wait / watch.step < 1


def test_a_process_that_imported_torch_has_tens_of_megabytes():
    assert 5e7 < memory_used(torch.device("cpu")) < 1e11

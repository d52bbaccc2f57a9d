"""Peak memory is what a piece of work needs, and no more."""

import ctypes
import subprocess
import sys
from functools import partial

import pytest
import torch

from swinkit.engine.peak_memory import PeakMemory

MEGABYTE = 2**20


def test_memory_is_the_most_since_the_beginning() -> None:
    kept = torch.ones(8 * MEGABYTE)
    watch = PeakMemory("cpu")
    large = torch.ones(16 * MEGABYTE)
    del large
    assert 60 * MEGABYTE < watch.stop() < 80 * MEGABYTE
    assert kept.sum() > 0


LEAVING_HOLES = """
import torch
from swinkit.engine.peak_memory import PeakMemory
watch = PeakMemory("cpu")
torch.ones(26 * 2**18)  # seeing it go, glibc would keep smaller ones from now on
first, between = torch.ones(24 * 2**18), torch.ones(2**17)
del first
torch.ones(25 * 2**18)  # does not fit into what the first has left
print(watch.stop())
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="another C library's allocator")
def test_memory_that_the_allocator_keeps_for_later_does_not_count() -> None:
    done = subprocess.run([sys.executable, "-c", LEAVING_HOLES], capture_output=True, text=True, check=True)
    assert 24 * MEGABYTE < int(done.stdout) < 40 * MEGABYTE


def test_memory_of_a_gpu_is_what_torch_allocated(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (
        ("synchronize", None),
        ("reset_peak_memory_stats", None),
        ("memory_allocated", 100),
        ("max_memory_allocated", 350),
    ):
        monkeypatch.setattr(torch.cuda, name, partial(lambda given: given, value))
    assert PeakMemory("cuda").stop() == 250

"""A record in words: ties are called ties, and what has no numbers has a reason."""

import pytest

from benchmarks.peers.cases import CASES, VIT
from benchmarks.peers.record import STOPPED, CaseRecord, Result
from benchmarks.peers.report import cells, growth_rows, machine_lines, milliseconds, reasons, verdicts

from .measurements import answers, grows, record, timed


def test_a_line_has_time_speed_rate_memory_and_agreement() -> None:
    row = answers()
    assert cells(row, row.results[1], 300e9) == (
        *("swinkit-engine", "40.0", "0.7%", "1.25", "1.25-1.25"),
        *("225", "75%", "50", "3e-07"),
    )


def test_a_tie_is_called_one() -> None:
    row = CaseRecord(CASES["swin-t-224-b1"], [timed("swinkit", 1.0), timed("timm", 1.005)])
    assert cells(row, row.results[0], 1e9)[3] == "1.00 tie"
    (line,) = verdicts(row)
    assert line.startswith("swinkit ties with the fastest peer, timm: 1.00 (1.00-1.00) times as fast")


def test_the_best_of_ours_is_told_beside_the_fastest_peer_and_plain_pytorch_beside_plain_pytorch() -> None:
    beside_all, beside_eager = verdicts(answers())
    assert beside_all == (
        "swinkit-engine is faster than the fastest peer, openvino: 1.25 (1.25-1.25) times as fast, "
        "over 6 rounds"
    )
    assert beside_eager == (
        "swinkit is faster than the fastest that PyTorch runs as it is, timm: 1.12 (1.12-1.12) "
        "times as fast, over 6 rounds"
    )
    slow = CaseRecord(CASES["swin-t-224-b1"], [timed("swinkit", 2.0), timed("timm", 1.0)])
    (line,) = verdicts(slow)
    assert "is SLOWER than" in line
    assert verdicts(CaseRecord(CASES["swin-t-224-b1"], [timed("swinkit", 2.0)])) == []
    assert verdicts(grows()[0]) == []  # the other is another model


def test_of_training_the_memory_is_told_as_well() -> None:
    step = CaseRecord(
        CASES["swin-t-224-b8-train"],
        [timed("swinkit", 1.0, 40_000_000), timed("timm", 1.1, 50_000_000), timed("torchvision", 2.0, 1)],
    )
    assert verdicts(step)[1:] == ["swinkit takes 0.80 times the memory of timm"]


def test_what_has_no_numbers_has_a_reason() -> None:
    row = answers()
    row.results += [Result("timm-compiled", STOPPED), Result("torchvision-compiled", STOPPED, "", [[1.0]])]
    assert reasons(row) == [
        "torchvision: killed by SIGKILL, as when memory runs out",
        "onnxruntime: not installed: pip install onnxruntime",
        "timm-compiled: stopped",
        "torchvision-compiled: stopped after 1 rounds",
    ]


def test_growth_is_told_beside_that_of_the_pixels() -> None:
    assert growth_rows(record()) == [
        ("swinkit", "224", "1", "80.0", "1.0", "100", "1.0"),
        ("swinkit", "448", "4", "320", "4.0", "400", "4.0"),
        (VIT, "224", "1", "200", "1.0", "100", "1.0"),
        (VIT, "448", "4", "1,600", "8.0", "800", "8.0"),
    ]


def test_the_machine_is_told_with_its_ceilings() -> None:
    assert machine_lines(record()) == [
        "A Processor, 2 cores (avx2, fma); 2 threads; 8 GiB",
        "load of the machine before it began: 0.10 processes",
        "matrix products 200 GFLOP/s, copies 30.0 GB/s (one thread: 100 and 15.0)",
        "python 3.11.7, torch 2.15.0",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.000_512_3, "0.51"), (0.005_123, "5.12"), (0.0512, "51.2"), (2.0831, "2,083")]
)
def test_times_have_machine_lines_three_digits(seconds: float, text: str) -> None:
    assert milliseconds(seconds) == text

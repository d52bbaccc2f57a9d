"""The command: what it refuses, prints and writes. The candidates are stand-ins that compute nothing."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.peers import __main__ as bench
from benchmarks.peers import runner
from benchmarks.peers.__main__ import main
from benchmarks.peers.record import Record

ROW = "swin-t-224-b1"


@pytest.fixture(autouse=True)
def _stand_ins(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(root))
    monkeypatch.setenv("SWINKIT_CACHE", str(tmp_path))
    (tmp_path / "bench").mkdir()
    monkeypatch.setattr(runner, "WORKER", "tests.benchmarks.peers.stand_in")
    monkeypatch.setattr(runner, "MAX_ROUNDS", runner.MIN_ROUNDS)
    monkeypatch.setattr(bench, "ROOFLINE", "tests.benchmarks.peers.stand_in_roofline")
    monkeypatch.setattr(bench, "QUICK", 1.0)
    monkeypatch.setattr("benchmarks.peers.candidates.version", lambda _: "1.0")
    monkeypatch.chdir(tmp_path)


def told(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> tuple[str, str]:
    assert main(list(words)) == code
    return capsys.readouterr()


def test_a_row_is_a_table_with_the_reasons_of_those_that_are_not_in_it(capsys) -> None:
    text, _ = told(capsys, "--cases", ROW, "--out", "out")
    lines = text[text.index(f"{ROW}:") :].splitlines()
    assert lines[0] == "swin-t-224-b1: swin-t 224x224, batch 1, inference"
    assert lines[1].split()[:3] == ["candidate", "ms", "noise"]
    assert [line.split()[0] for line in lines[2:5]] == ["swinkit", "timm", "torchvision"]
    assert lines[2].split()[1:4] == ["100", "0.0%", "2.00"]
    assert lines[5:9] == [
        "swinkit-engine: not built",
        "transformers: ValueError: no such model",
        "onnxruntime: ended with code 7: last line",
        "openvino: killed by SIGKILL, as when memory runs out",
    ]
    assert lines[9] == (
        "swinkit is faster than the fastest peer, timm: 2.00 (2.00-2.00) times as fast, over 6 rounds"
    )


def test_everything_is_kept_in_the_folder(tmp_path: Path, capsys) -> None:
    _, end = told(capsys, "--cases", ROW, "--peers", "timm", "--threads", "3", "--out", "out")
    assert end.splitlines()[-1] == "wrote out, in 0 minutes"
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == ["bench.json", "ratios.png"]
    record = Record.read(tmp_path / "out" / "bench.json")
    assert record.command == f"python -m benchmarks.peers --cases {ROW} --peers timm --threads 3 --out out"
    assert record.seconds > 0
    assert record.machine["threads"] == 3
    assert [each.candidate for each in record.cases[0].results] == ["swinkit", "swinkit-engine", "timm"]


def test_growth_has_a_table_and_a_picture_of_its_own(tmp_path: Path, capsys) -> None:
    text, _ = told(capsys, "--cases", "growth-224", "growth-448", "--peers", "timm", "--out", "out")
    assert text.splitlines()[-3].startswith("candidate  side")
    assert (tmp_path / "out" / "growth.png").is_file()
    assert not (tmp_path / "out" / "ratios.png").exists()


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """Ctrl-C ends this process, even where a shell began the tests in its background, where it does not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_what_was_measured_is_kept_when_it_is_stopped(number, code, tmp_path, capsys, monkeypatch) -> None:
    def rounds(contenders, name, *rest):
        if name == ROW:
            return before(contenders, name, *rest)
        contenders[0].measure(runner.Budget(1.0))
        os.kill(os.getpid(), number)
        raise AssertionError("not stopped")

    before = runner.run_rounds
    monkeypatch.setattr(runner, "run_rounds", rounds)
    text, errors = told(capsys, "--cases", ROW, "swin-t-224-b8", "--peers", "timm", "--out", "out", code=code)
    assert "stopped; what was measured until then is kept" in errors
    assert "swinkit: stopped after 1 rounds" in text
    rows = json.loads((tmp_path / "out" / "bench.json").read_text())["cases"]
    assert [row["results"][0]["state"] for row in rows] == ["measured", "stopped"]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--cases", "swin-t-224-b2"], "unknown case 'swin-t-224-b2', did you mean 'swin-t-224-b"),
        (["--peers", "tim"], "unknown candidate 'tim', did you mean 'timm'?"),
        (["--threads", "0"], "threads is 0; it must be 1 or more"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(words: list[str], message: str, capsys) -> None:
    _, errors = told(capsys, *words, code=2)
    assert errors.startswith("error: ")
    assert message in errors
    assert errors.count("\n") == 1


def test_the_results_of_an_earlier_run_are_not_overwritten(tmp_path: Path, capsys) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "bench.json").write_text("{}")
    _, errors = told(capsys, "--out", "out", code=2)
    assert "out holds the results of an earlier run; name another folder" in errors


def test_without_a_gpu_none_is_measured(capsys) -> None:
    _, errors = told(capsys, "--device", "cuda", "--out", "out", code=4)
    assert errors == "error: the machine cannot be measured: there is no GPU\n"


def test_it_measures_without_torch_of_its_own() -> None:
    code = "import sys, swinkit.cli.bench; sys.exit('torch' in sys.modules or 'PIL' in sys.modules)"
    assert os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", code]) == 0

"""All are measured in turn; one that fails is notify and the others go on; what was measured is kept."""

from contextlib import suppress
from pathlib import Path

import pytest

from benchmarks.peers import runner
from benchmarks.peers.candidates import CANDIDATES, Candidate
from benchmarks.peers.cases import CASES
from benchmarks.peers.record import FAILED, MEASURED, MISSING, STOPPED, CaseRecord, Result
from benchmarks.peers.runner import Budget, Settings, measure

pytestmark = pytest.mark.slow

ROW = CASES["swin-t-224-b1"]


def missing(candidate: Candidate) -> tuple[str, ...]:
    return ("pixy",) if candidate.name == "absent" else ()


@pytest.fixture(autouse=True)
def _stand_ins(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(root))
    monkeypatch.setattr(runner, "WORKER", "tests.benchmarks.peers.stand_in")
    monkeypatch.setattr(runner, "MAX_ROUNDS", runner.MIN_ROUNDS)
    monkeypatch.setattr(Candidate, "missing_packages", property(missing))


def judged(folder: Path, *names: str, notify=lambda _: None, budget: Budget | None = None) -> list[Result]:
    measured = CaseRecord(ROW)
    found = [CANDIDATES.get(name, Candidate(name=name)) for name in names]
    with suppress(KeyboardInterrupt):
        measure(measured, found, Settings(1, folder, budget or Budget(1.0)), notify)
    return measured.results


def test_candidates_are_measured_in_turn(tmp_path: Path) -> None:
    results = judged(tmp_path, "swinkit", "timm", "torchvision")
    order = (tmp_path / "log").read_text().split()
    rounds = [tuple(order[i : i + 3]) for i in range(0, len(order), 3)]
    assert len(rounds) == runner.MIN_ROUNDS
    assert all(sorted(each) == ["swinkit", "timm", "torchvision"] for each in rounds)
    assert len(set(rounds)) > 2, "nobody always follows the same one"
    assert [each.state for each in results] == [MEASURED] * 3
    assert results[1] == Result("timm", MEASURED, "", [[0.2] * 2] * runner.MIN_ROUNDS, 10**6, 1e-7)


def test_short_calls_are_made_more_often_in_a_round(tmp_path: Path) -> None:
    assert [len(each.rounds[0]) for each in judged(tmp_path, "swinkit", "timm", "torchvision")] == [4, 2, 1]


def test_one_that_fails_stops_no_other(tmp_path: Path) -> None:
    names = ("swinkit", "absent", "swinkit-engine", "transformers", "openvino", "timm-compiled", "timm")
    found = {each.candidate: (each.state, each.reason) for each in judged(tmp_path, *names)}
    assert found == {
        "swinkit": (MEASURED, ""),
        "absent": (MISSING, "not installed: pip install pixy"),
        "swinkit-engine": (MISSING, "not built"),
        "transformers": (FAILED, "ValueError: no such model"),
        "openvino": (FAILED, "killed by SIGKILL, as when memory runs out"),
        "timm-compiled": (FAILED, "MemoryError: too large"),
        "timm": (MEASURED, ""),
    }


@pytest.mark.parametrize(("name", "notify"), [("torchvision-compiled", "3e-01"), ("swinkit-compiled", "nan")])
def test_one_that_computes_something_else_does_not_count(name: str, notify: str, tmp_path: Path) -> None:
    other, timm = judged(tmp_path, name, "timm")
    assert (other.state, other.is_valid, timm.is_valid) == (FAILED, False, True)
    assert other.reason == f"computes something else: it differs by {notify} of the largest value"


def test_one_that_hangs_is_given_up(tmp_path: Path) -> None:
    hanging, other = judged(tmp_path, "vit-b-16", "timm", budget=Budget(1.0, call=0.1))
    assert (hanging.state, hanging.reason) == (FAILED, "no answer within 0 s")
    assert other.state == MEASURED


def test_what_was_measured_before_an_interruption_is_kept(tmp_path: Path) -> None:
    def notify(what: str) -> None:
        if "round 3" in what:
            raise KeyboardInterrupt

    results = judged(tmp_path, "swinkit", "timm", notify=notify)
    assert [(each.state, len(each.rounds), each.is_valid) for each in results] == [(STOPPED, 2, True)] * 2


def test_an_interruption_while_one_is_built_leaves_none_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = []
    end = runner.Process.end
    monkeypatch.setattr(runner.Process, "end", lambda self: ended.append(end(self)))
    monkeypatch.setattr(runner.Process, "receive", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    assert [each.state for each in judged(tmp_path, "swinkit")] == [STOPPED]
    assert ended == [-9]


@pytest.mark.parametrize(
    ("done", "seconds", "budget", "expected"),
    [
        (0, 100.0, 1.0, False),  # one round in any case
        (5, 3.0, 1.0, False),  # six, though the budget is spent
        (1, 9.0, 1.0, True),  # unless it is far overdrawn
        (6, 0.5, 1.0, False),  # then as many as fit
        (6, 1.1, 1.0, True),
        (40, 0.5, 1.0, True),
    ],
)
def test_there_are_six_rounds_and_then_as_many_as_time_allows(
    done: int, seconds: float, budget: float, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "MAX_ROUNDS", 40)
    assert runner.is_enough(done, seconds, budget) is expected

"""Trainings over seeds: in which order, what is told of them, and with which exit code they end."""

import pytest

from benchmarks.peers.report import markdown_table
from benchmarks.seeds import hours, row, run_command, run_in_turn
from swinkit.errors import DataError


def test_names_take_turns_and_all_there_is_is_told_after_each() -> None:
    told: list[dict[str, list[int]]] = []

    def tell(results: dict[str, list[str]]) -> None:
        told.append({name: len(found) for name, found in results.items()})

    runs: list[str] = []
    run_in_turn(2, ("a", "b"), lambda name, seed: runs.append(f"{name}{seed}"), tell)
    assert runs == ["a0", "b0", "a1", "b1"]
    assert told == [{"a": 1, "b": 0}, {"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 2, "b": 2}]


def test_hours_are_those_of_each_runs_last_epoch() -> None:
    assert hours([[{"seconds": 1.0}, {"seconds": 1800.0}]]).startswith("0.50 hours of training in 1 run,")
    assert hours([[{"seconds": 3600.0}], [{"seconds": 1800.0}]]).startswith(
        "1.50 hours of training in 2 runs,"
    )


def test_a_row_tells_mean_spread_and_each_in_percent() -> None:
    assert row("swin", [0.5, 0.7]) == ("swin", "60.00", "14.14", "50.00, 70.00")
    assert row("swin", [0.5]) == ("swin", "50.00", "-", "50.00")
    assert markdown_table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


@pytest.mark.parametrize(("error", "code"), [(DataError("no pictures"), 3), (KeyboardInterrupt(), 130)])
def test_what_stops_it_is_one_line_and_an_exit_code(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def work() -> str:
        raise error

    assert run_command(work) == code
    out, err = capsys.readouterr()
    assert (out, err) in {("", "error: no pictures\n"), ("stopped; the same command goes on\n", "")}


def test_what_comes_of_it_is_printed_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(lambda: "| a |\n| 1 |\n") == 0
    assert capsys.readouterr().out == "| a |\n| 1 |\n"

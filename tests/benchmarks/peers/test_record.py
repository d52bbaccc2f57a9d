"""What a run measured comes back from its file, and is judged alike."""

from dataclasses import asdict
from pathlib import Path

import pytest

from benchmarks.peers.cases import VIT
from benchmarks.peers.record import STOPPED, Record, Result, growth
from swinkit.errors import DataError, EnvironmentProblem

from .measurements import answers, record, timed


def test_a_record_comes_back_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "made" / "bench.json"
    record().write(path)
    assert asdict(Record.read(path)) == asdict(record())
    assert [each.name for each in path.parent.iterdir()] == ["bench.json"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 2, "cases": []}', '{"version": 7}'])
def test_another_file_is_refused_in_one_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"bench\.json"):
        Record.read(path)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentProblem, match="cannot be written"):
        record().write(tmp_path / "file" / "bench.json")


def test_ours_are_compared_with_the_fastest_peer_that_was_measured_to_the_end() -> None:
    row = answers()
    fastest = row.fastest_peer
    assert fastest is not None
    assert fastest.candidate == "openvino"  # torchvision failed after one round that was faster
    ratio = row.speed_up(row.results[1])
    assert ratio is not None
    assert ratio.median == pytest.approx(1.25)
    assert row.speed_up(row.results[4]) is None


def test_what_was_stopped_counts_with_the_rounds_that_it_has() -> None:
    assert Result("swinkit", STOPPED, "", [[1.0]]).is_valid
    assert not Result("swinkit", STOPPED).is_valid


def test_the_rate_is_of_the_models_operations() -> None:
    row = answers()
    assert row.rate(row.results[0]) == pytest.approx(2 * 4.49e9 / 0.08, rel=0.01)


def test_growth_is_in_the_order_of_the_pixels() -> None:
    made = record()
    made.cases.reverse()
    assert [pixels for pixels, _ in growth(made, VIT)] == [224**2, 448**2]
    assert growth(made, "timm") == []


def test_a_round_is_as_long_as_its_middle_call() -> None:
    assert Result("timm", rounds=[[1.0, 9.0, 2.0], [3.0]]).medians == [2.0, 3.0]
    assert timed("timm", 0.5).seconds.median == 0.5

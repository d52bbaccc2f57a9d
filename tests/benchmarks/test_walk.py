"""The way of a prediction through the package stays short."""

from pathlib import Path

import pytest

from benchmarks.walk import PACKAGE, trace_files
from swinkit.cli.main import main
from tests.data.pictures import picture


def test_a_prediction_enters_at_most_forty_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SWINKIT_CACHE", str(tmp_path / "cache"))  # no engine is built there
    (tmp_path / "a.png").write_bytes(picture(0))
    with trace_files() as walk:
        assert main(["predict", str(tmp_path / "a.png")]) == 0
    capsys.readouterr()
    files = [str(Path(file).relative_to(PACKAGE)) for file in walk.files]
    assert len(files) <= 40, files

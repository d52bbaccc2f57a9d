"""The demo predicts photographs and puts them on one sheet."""

import runpy
from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("skimage", reason="the demo's photographs are in scikit-image")

pytestmark = pytest.mark.slow


def test_the_demo_draws_all_photographs_on_one_sheet(root: Path, tmp_path, monkeypatch, capsys):
    example = runpy.run_path(str(root / "examples" / "demo.py"))
    monkeypatch.chdir(tmp_path)
    assert example["main"]() == 0
    assert "all of them in one picture: " in capsys.readouterr().out
    with Image.open(tmp_path / "runs" / "demo" / "sheet.png") as sheet:
        assert sheet.width > 600

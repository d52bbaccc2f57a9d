"""`swinkit optimize` builds, proves and measures; its errors are one line."""

import pytest
from PIL import Image

from swinkit.cli import optimize
from swinkit.cli.main import main
from swinkit.engine.cpu import build
from swinkit.engine.cpu.blocks import NativeBlocks
from swinkit.engine.cpu.library import NativeLibrary

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(optimize, "PATIENCE", 0.0)


def test_it_says_where_the_engine_is_and_how_much_faster(engine, capsys):
    assert main(["optimize", "swin-pico", "--batch-size", "2"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"{engine.path}: built before"
    assert second.startswith("swin-pico on 2 x 3 x 32 x 32 pixels, 1 threads: ")
    assert "plain PyTorch" in second


def test_a_wrong_answer_is_an_error(engine, monkeypatch, capsys):
    run = NativeLibrary.run
    monkeypatch.setattr(NativeLibrary, "run", lambda self, *given: run(self, *given) * 1.01)
    assert main(["optimize", "swin-pico"]) == 4
    assert "the engine's answers differ from PyTorch's" in capsys.readouterr().err


def test_without_a_compiler_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(build, "instruction_set", lambda: "avx2")
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    assert main(["optimize"]) == 4
    assert "apt install g++" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["no-such-model"], ["--batch-size", "0"]])
def test_wrong_arguments_are_told_before_anything_is_built(monkeypatch, words):
    monkeypatch.setattr(build, "build_engine", lambda: pytest.fail("built"))
    assert main(["optimize", *words]) == 2


@pytest.fixture
def grey(tmp_path):
    """Return a picture."""
    Image.new("RGB", (40, 40)).save(tmp_path / "grey.png")
    return str(tmp_path / "grey.png")


def test_predict_runs_natively_where_an_engine_is_there(engine, grey, monkeypatch):
    ran, run = [], NativeBlocks.run
    monkeypatch.setattr(NativeBlocks, "run", lambda self, *given: ran.append(self) or run(self, *given))
    assert main(["predict", grey]) == 0
    assert len(ran) == 3, "stages of swin-pico"


def test_predict_never_compiles(grey, monkeypatch, tmp_path, capsys):
    """Not even where a compiler is at hand."""
    monkeypatch.setenv("SWINKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(build, "compile_sources", lambda *_: pytest.fail("compiled"))
    monkeypatch.setattr(NativeBlocks, "run", lambda *_: pytest.fail("ran without an engine"))
    assert main(["predict", grey]) == 0
    assert "grey.png 40x40" in capsys.readouterr().out
    assert not (tmp_path / "cache" / "engine").exists()

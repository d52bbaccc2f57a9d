"""Everything that README.md and docs/ show is run: see "Examples in the documentation" in CONTRIBUTING.md."""

import contextlib
import doctest
import io
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import skimage
from PIL import Image

from swinkit.cli.main import main

from .markdown import ROOT, Block, Command, blocks, commands, pages, without_timings

pytestmark = pytest.mark.slow

# Warnings of the tools that docs/other-tools.md shows: both ONNX exporters, and Lightning.
OTHER_TOOLS = (
    "ignore::DeprecationWarning",
    "ignore::FutureWarning",
    "ignore::torch.jit.TracerWarning",
    "ignore:The 'train_dataloader' does not have many workers",
)
LENIENT = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
PHOTOGRAPHS = {"cat.jpg": "chelsea.png", "photos/coffee.jpg": "coffee.png", "photos/rocket.jpg": "rocket.jpg"}


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder but for a few photographs, as the current one."""
    source = Path(skimage.__file__).parent / "data"
    (tmp_path / "photos").mkdir()
    for name, original in PHOTOGRAPHS.items():
        Image.open(source / original).save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "110")
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path


def marked_pages() -> Iterator[Any]:
    """Yield every page as a parameter, with the warnings that it may give."""
    for page in pages():
        ignored = OTHER_TOOLS if page.name == "other-tools.md" else ()
        yield pytest.param(page, marks=[pytest.mark.filterwarnings(each) for each in ignored], id=page.name)


@pytest.mark.parametrize("page", list(marked_pages()))
def test_every_example_of_a_page_runs_and_answers_as_shown(page: Path, workplace: Path):
    namespace: dict[str, Any] = {"__name__": page.stem}
    for block in blocks(page.read_text(encoding="utf-8")):
        if block.language == "python":
            run_python(block, page, namespace)
        elif block.language == "console":
            for command in commands(block.text):
                if command.words.startswith("swinkit "):
                    run_command(command)


def run_python(block: Block, page: Path, namespace: dict[str, Any]) -> None:
    """Execute a block; a traceback names the page and its line."""
    exec(compile("\n" * (block.line - 1) + block.text, str(page), "exec"), namespace)


def run_command(command: Command) -> None:
    """Run one command and compare what it prints, if the page shows it."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        code = main(shlex.split(command.words)[1:])
    shown = f"$ {command.words}\n{printed.getvalue()}"
    assert (code != 0) == command.fails, f"exit code {code} of\n{shown}"
    if command.output:
        wanted, got = without_timings(command.output), without_timings(printed.getvalue())
        assert doctest.OutputChecker().check_output(wanted, got, LENIENT), (
            f"the page shows\n{command.output}\nbut this came:\n{shown}"
        )


@pytest.mark.parametrize("language", ["python", "console"])
def test_the_readme_shows_examples(language: str):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert language in {block.language for block in blocks(text)}


def test_a_command_that_answers_otherwise_than_shown_would_be_found():
    run_command(Command("swinkit --version", "swinkit ..."))
    with pytest.raises(AssertionError, match="but this came"):
        run_command(Command("swinkit --version", "swinkit 999"))
    with pytest.raises(AssertionError, match="exit code 2"):
        run_command(Command("swinkit no-such-command", ""))

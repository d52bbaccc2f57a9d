"""What all commands share: help in words, options that say how to read a file, and quick refusals."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from swinkit.cli.main import VERBS, main
from swinkit.models.build import build
from swinkit.models.specs import VARIANTS
from swinkit.weights.dialect_table import DIALECTS

TORCH = """
import sys
from swinkit.cli.main import main
print(main(sys.argv[1:]), "torch" in sys.modules)
"""


@pytest.mark.parametrize("columns", ["80", "100"])
@pytest.mark.parametrize("verb", VERBS)
def test_help_has_words_and_no_types_of_python(
    verb: str, columns: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COLUMNS", columns)
    with pytest.raises(SystemExit) as leaving:
        main([verb, "--help"])
    text = capsys.readouterr().out
    assert leaving.value.code == 0
    assert text.startswith(f"usage: swinkit {verb}")
    assert not [word for word in ("type:", "<class", "Literal", "null)", "None", "field of") if word in text]
    assert max(map(len, text.splitlines())) <= int(columns)


@pytest.mark.parametrize("verb", ["predict", "evaluate", "convert", "push"])
def test_every_command_that_reads_a_file_can_be_told_what_it_is(
    verb: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    text = capsys.readouterr().out
    assert all(f"  {option} " in text for option in ("--variant", "--from", "--entry", "--head"))
    assert "hf:org/name" in text


@pytest.mark.parametrize(
    "words",
    [
        ["predict", "cat.png", "--model", "swn-t"],
        ["evaluate", "swn-t", "data=x"],
        ["convert", "swn-t", "a.pth", "--to", "timm"],
        ["push", "swn-t", "org/name"],
    ],
)
def test_a_mistyped_model_is_told_without_torch(words: list[str]):
    done = subprocess.run([sys.executable, "-c", TORCH, *words], capture_output=True, text=True, check=True)
    assert done.stdout == "2 False\n"
    assert done.stderr == "error: swn-t: no such file, folder or checkpoint, did you mean 'swin-t'?\n"


def test_a_file_that_tells_no_windows_is_refused_with_the_names_it_may_have(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    with torch.device("meta"):
        backbone = build(VARIANTS["swinv2-t"].spec)
    state = {f"backbone.{name}": torch.zeros(x.shape) for name, x in backbone.state_dict().items()}
    torch.save(DIALECTS["timm"].write(state), tmp_path / "file.pth")
    words = ["evaluate", str(tmp_path / "file.pth"), "data=nowhere"]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert said.endswith("or name the variant (--variant, or variant=): swinv2-t, swinv2-t-w16\n")
    assert "; give them (--window, or window=)" in said
    assert (main([*words, "--variant", "swinv2-t"]), main([*words, "--variant", "swin-t"])) == (2, 3)
    said = capsys.readouterr().err
    assert "which has no task; give a model of a task (classification, " in said
    wrong = [line for line in said.splitlines() if line.startswith("error: ") and "do not fit swin-t" in line]
    assert len(wrong) == 1
    assert "missing (first: `backbone.stages.0.blocks.0.token_mixer" in wrong[0]
    assert len(wrong[0].replace(str(tmp_path), "")) < 600


@pytest.mark.parametrize("verb", ["bench", "optimize"])
@pytest.mark.parametrize("option", ["--window", "--pretrained-window"])
def test_options_for_files_are_refused_beside_the_name_of_a_model(
    verb: str, option: str, capsys: pytest.CaptureFixture[str]
):
    assert main([verb, "swinv2-t", option, "12"]) == 2
    assert f"swinv2-t is built without weights; leave out {option}, which" in capsys.readouterr().err

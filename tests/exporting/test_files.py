"""Only what may be lost is replaced, and what was written reads back."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from swinkit import api
from swinkit.errors import EnvironmentProblem, UsageError
from swinkit.exporting import files
from swinkit.exporting.convert import convert_model
from swinkit.exporting.files import is_same, write_tensors
from swinkit.files.tensors import read_state

from .models import classifier

pytestmark = pytest.mark.slow

FORMS = ("out.pth", "out.safetensors", "out")


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below, whole."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("form", FORMS)
def test_what_exists_is_replaced_only_if_told(form: str, tmp_path: Path):
    convert_model(classifier(), tmp_path / form, "timm", check=False)
    before = contents(tmp_path)
    with pytest.raises(UsageError, match=rf"{form} exists; choose another name, or replace it with --force"):
        convert_model(classifier("v2"), tmp_path / form, "timm", check=False)
    assert contents(tmp_path) == before
    convert_model(classifier("v2"), tmp_path / form, "timm", check=False, force=True)
    assert contents(tmp_path) != before
    assert [path.name for path in tmp_path.iterdir()] == [form]


@pytest.mark.parametrize(("first", "second"), [("transformers", "timm"), ("timm", "transformers")])
def test_a_folder_of_one_library_is_replaced_by_that_of_another(first: str, second: str, tmp_path: Path):
    convert_model(classifier(), tmp_path / "out", first, check=False)
    convert_model(classifier(), tmp_path / "out", second, check=False, force=True)
    files_of = {"timm": 2, "transformers": 3}
    assert len(list((tmp_path / "out").iterdir())) == files_of[second]


def test_strange_folders_and_links_are_never_replaced(tmp_path: Path):
    folder, link = tmp_path / "folder", tmp_path / "link.pth"
    folder.mkdir()
    (folder / "thesis.tex").write_text("years of work")
    link.symlink_to(folder / "thesis.tex")
    with pytest.raises(UsageError, match=r"holds `thesis.tex`, which would be lost"):
        convert_model(classifier(), folder, "timm", check=False, force=True)
    with pytest.raises(UsageError, match=r"is no plain file or folder, so it is not replaced"):
        convert_model(classifier(), link, "timm", check=False, force=True)
    assert (folder / "thesis.tex").read_text() == "years of work"


def test_the_folder_around_must_exist(tmp_path: Path):
    with pytest.raises(UsageError, match="nowhere: no such folder; make it first"):
        convert_model(classifier(), tmp_path / "nowhere" / "out.pth", "timm")


def test_the_source_is_never_written_to(tmp_path: Path):
    file, folder = tmp_path / "a.safetensors", tmp_path / "model"
    convert_model(classifier(), file, "timm", check=False)
    convert_model(classifier(), folder, "swinkit", check=False)
    before = contents(tmp_path)
    for source, out in ((file, file), (folder, folder), (folder, folder / "b.pth"), (folder, tmp_path)):
        with pytest.raises(UsageError, match="itself, or one lies in the other; write somewhere else"):
            api.convert(source, out, to="timm", force=True)
    assert contents(tmp_path) == before


def test_what_does_not_read_back_as_it_was_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def corrupted(path: Path) -> dict[str, torch.Tensor]:
        return {name: tensor + 1 for name, tensor in load_file(path).items()}

    monkeypatch.setattr(files, "read_state", corrupted)
    with pytest.raises(EnvironmentProblem, match="did not come out as it was written"):
        convert_model(classifier(), tmp_path / "out.safetensors", "timm")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
def test_every_type_of_tensor_survives_to_the_bit(name: str, tmp_path: Path):
    state = {
        "bits": torch.tensor([0.0, -0.0, float("nan"), float("inf")]),
        "half": torch.randn(3, 2, dtype=torch.float16),
        "brain": torch.randn(2, dtype=torch.bfloat16),
        "index": torch.arange(4),
        "number": torch.tensor(3.0),
        "strided": torch.randn(4, 4)[:, ::2],
    }
    write_tensors(tmp_path / name, state)
    written = read_state(tmp_path / name)
    assert written.keys() == state.keys()
    assert all(is_same(written[key], state[key].contiguous()) for key in state)


def test_negative_zero_is_not_zero():
    assert not is_same(torch.tensor([0.0]), torch.tensor([-0.0]))
    assert not is_same(torch.zeros(1), torch.zeros(1, dtype=torch.float16))
    assert not is_same(torch.zeros(1), torch.zeros(2))

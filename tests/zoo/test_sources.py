"""From what a user names to a file, and what is known of it."""

from pathlib import Path

import pytest

from swinkit.errors import DataError, UsageError
from swinkit.zoo import hub
from swinkit.zoo.checkpoints import published
from swinkit.zoo.facts import Facts
from swinkit.zoo.sources import find_source


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the hub is asked for; it always has the same file."""
    names: list[str] = []

    def fetch(source: str) -> tuple[Path, Facts]:
        names.append(source)
        return tmp_path / "model.safetensors", Facts(dialect="timm", labels=("cat",))

    monkeypatch.setattr(hub, "fetch", fetch)
    return names


def test_nothing_is_what_comes_with_swinkit() -> None:
    assert find_source(None).path == find_source("swin-pico").path == published()["swin-pico/cifar-10"].folder


def test_a_repository_of_the_hub_tells_all_itself(asked: list[str]) -> None:
    found = find_source("hf:someone/swin@v2")
    assert found.facts == Facts(dialect="timm", labels=("cat",))
    assert asked == ["hf:someone/swin@v2"]


def test_a_checkpoint_on_the_hub_adds_how_pictures_are_prepared(asked: list[str]) -> None:
    row = published()["swin-t/imagenet-1k-timm"]
    found = find_source("swin_tiny_patch4_window7_224.ms_in1k")
    assert found.facts == Facts(dialect="timm", labels=("cat",), preprocess=row.preprocess)
    assert asked == ["hf:timm/swin_tiny_patch4_window7_224.ms_in1k"]
    assert found.said[0] == f"published: {row.source}, licence MIT"


def test_files_and_folders_are_taken_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "swin-t"
    file.touch()
    assert find_source(file).path == file
    assert find_source(str(tmp_path)).facts == Facts()


def test_a_file_is_found_before_a_checkpoint_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("swin-pico").touch()
    assert find_source("swin-pico").path == Path("swin-pico")


@pytest.mark.parametrize("name", ["nothing.pth", "nothing.safetensors", "swin_t-704ceda3.zip", "/nothing"])
def test_a_file_that_is_not_there_is_no_name_of_a_checkpoint(name: str) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        find_source(name)


def test_a_missing_file_of_a_published_name_leads_to_the_checkpoint() -> None:
    with pytest.raises(
        DataError, match=r"no such file or folder; a checkpoint of this name is 'swin-t/imagenet-1k'"
    ):
        find_source("weights/swin_tiny_patch4_window7_224.pth")


def test_part_of_a_saved_model_is_not_loaded_alone(tmp_path: Path) -> None:
    for name in ("model.safetensors", "config.json"):
        (tmp_path / name).touch()
    with pytest.raises(UsageError, match="load its folder"):
        find_source(tmp_path / "model.safetensors")

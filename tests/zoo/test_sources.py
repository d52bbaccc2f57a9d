"""From what a user names to a file, and what is known of it."""

import os
from pathlib import Path

import pytest

from swinkit.errors import DataError, UsageError
from swinkit.zoo import hub
from swinkit.zoo.checkpoints import published_checkpoints
from swinkit.zoo.hub_configs import Facts
from swinkit.zoo.resolve import ResolvedModel, resolve_model


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the requests to the hub, which always has the same file."""
    names: list[str] = []

    def fetch(source: str) -> tuple[Path, Facts]:
        names.append(source)
        return tmp_path / "model.safetensors", Facts(dialect="timm", labels=("cat",))

    monkeypatch.setattr(hub, "fetch_repository", fetch)
    return names


def test_nothing_is_what_comes_with_swinkit() -> None:
    assert (
        resolve_model(None).path
        == resolve_model("swin-pico").path
        == published_checkpoints()["swin-pico/cifar-10"].folder
    )


def test_a_repository_of_the_hub_tells_all_itself(asked: list[str]) -> None:
    found = resolve_model("hf:someone/swin@v2")
    assert found.facts == Facts(dialect="timm", labels=("cat",))
    assert asked == ["hf:someone/swin@v2"]


def test_a_checkpoint_on_the_hub_adds_how_pictures_are_prepared(asked: list[str]) -> None:
    row = published_checkpoints()["swin-t/imagenet-1k-timm"]
    found = resolve_model("swin_tiny_patch4_window7_224.ms_in1k")
    assert found.facts == Facts(dialect="timm", labels=("cat",), preprocess=row.preprocess)
    assert asked == ["hf:timm/swin_tiny_patch4_window7_224.ms_in1k"]
    assert found.said[0] == f"published: {row.source}, licence MIT"


def test_files_and_folders_are_taken_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "swin-t"
    file.touch()
    assert resolve_model(file).path == file
    assert resolve_model(str(tmp_path)).facts == Facts()


def test_a_file_is_found_before_a_checkpoint_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("swin-pico").touch()
    assert resolve_model("swin-pico").path == Path("swin-pico")


@pytest.mark.parametrize("name", ["nothing.pth", "nothing.safetensors", "swin_t-704ceda3.zip", "/nothing"])
def test_a_file_that_is_not_there_is_no_name_of_a_checkpoint(name: str) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        resolve_model(name)


def test_a_missing_file_of_a_published_name_leads_to_the_checkpoint() -> None:
    with pytest.raises(
        DataError, match=r"no such file or folder; a checkpoint of this name is 'swin-t/imagenet-1k'"
    ):
        resolve_model("weights/swin_tiny_patch4_window7_224.pth")


def test_part_of_a_saved_model_is_not_loaded_alone(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").touch()
    (tmp_path / "config.json").write_text('{"swinkit": "0.1.0"}')
    with pytest.raises(UsageError, match="is part of a saved model; load its folder"):
        resolve_model(tmp_path / "model.safetensors")
    assert resolve_model(tmp_path).path == tmp_path


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_weights_of_another_library_are_known_by_the_config_beside_them(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    (tmp_path / "config.json").write_text('{"model_type": "swin", "id2label": {"0": "cat"}}')
    (tmp_path / "preprocessor_config.json").write_text('{"size": {"height": 96, "width": 96}}')
    found = resolve_model(tmp_path)
    assert found == resolve_model(tmp_path / name)
    assert (found.path, found.facts.labels) == (tmp_path / name, ("cat",))
    assert found.facts.spec is not None
    assert found.facts.preprocess is not None
    assert found.facts.preprocess["crop"] == (96, 96)


def test_of_two_files_of_weights_the_folder_gives_the_one_without_pickles(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "swin"}')
    for name in ("model.safetensors", "pytorch_model.bin"):
        (tmp_path / name).touch()
    assert resolve_model(tmp_path).path.name == "model.safetensors"


def test_a_folder_without_a_config_leaves_all_to_the_tensors_as_the_hub_does(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").touch()
    assert resolve_model(tmp_path) == ResolvedModel(tmp_path / "pytorch_model.bin")
    (tmp_path / "labels.json").touch()  # now it is a saved model that lost its config.json
    assert resolve_model(tmp_path) == ResolvedModel(tmp_path)


def test_a_config_of_anything_else_tells_nothing_of_weights_named_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"learning_rate": 1}')
    for name in ("pytorch_model.bin", "other.bin"):
        (tmp_path / name).touch()
        assert resolve_model(tmp_path / name) == ResolvedModel(tmp_path / name)
    with pytest.raises(DataError, match=r"config.json names no architecture .* the file of weights itself"):
        resolve_model(tmp_path)


def test_the_settings_that_microsoft_writes_beside_ranks_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("AMP_ENABLE: true\nBASE:\n- ''\n")  # as it is: YAML
    (tmp_path / "swin_moe.pth.rank0").touch()
    assert resolve_model(tmp_path) == ResolvedModel(tmp_path, ranked=True)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"config.json": "{"}, r"config.json is no JSON"),
        ({"config.json": "\udcff"}, r"config.json is no JSON"),
        ({"config.json": "[" * 100_000}, r"config.json is no JSON"),
        ({"config.json": "[1]"}, r"config.json must hold an object of settings, not a list"),
        ({"config.json": '{"architecture": "resnet50"}'}, r"'resnet50' is no Swin of timm"),
        ({"config.json": '{"architecture": ["swin"]}'}, r"architecture is \['swin'\]; it must be a text"),
        ({"config.json": '{"model_type": "bert"}'}, r"model_type 'bert' is no Swin that swinkit reads"),
        ({"config.json": '{"model_type": "swin", "depths": [1e9]}'}, r"depths is .* a whole number from"),
        ({"config.json": '{"model_type": "swin", "num_heads": [65536, 1, 1, 1]}'}, r"no Swin can be built"),
        (
            {"config.json": '{"model_type": "swin"}', "preprocessor_config.json": "[]"},
            r"preprocessor_config.json must hold an object",
        ),
        ({"config.json": '{"model_type": "swin"}'}, r"has no model.safetensors and no pytorch_model.bin"),
        (
            {"config.json": '{"model_type": "swin"}', "model.safetensors.index.json": "{}"},
            r"has its weights in several files",
        ),
    ],
)
def test_hostile_and_broken_folders_are_told(tmp_path: Path, files: dict[str, str], said: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(DataError, match=said) as told:
        resolve_model(tmp_path)
    assert str(tmp_path) in str(told.value)
    assert "\n" not in str(told.value)


def test_a_config_too_large_to_be_one_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "config.json").open("wb") as file:
        file.truncate(2**24 + 1)
    with pytest.raises(DataError, match=r"config.json has 16777217 bytes, too many for settings"):
        resolve_model(tmp_path)


def test_a_pipe_for_a_config_is_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config.json")
    assert resolve_model(tmp_path) == ResolvedModel(tmp_path)

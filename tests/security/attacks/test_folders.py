"""Attack: the JSON of a saved model describes a model of any size, or what is no model, or has no end."""

import json
import os
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

import swinkit
from swinkit.errors import SwinkitError
from swinkit.files.folder import CONFIG, LABELS, PREPROCESS, WEIGHTS, fingerprint


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a saved model."""
    path = tmp_path_factory.mktemp("models") / "model"
    swinkit.save(swinkit.load(), path)
    return path


def spoiled(folder: Path, target: Path, **spec: object) -> Path:
    """Return a copy whose configuration has other numbers, signed as if they were meant."""
    target.mkdir()
    for file in folder.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    config = json.loads((folder / CONFIG).read_text())
    config["spec"] |= spec
    (target / CONFIG).write_text(json.dumps(config))
    signed = {"config_sha256": fingerprint(json.loads((target / CONFIG).read_text()))}
    save_file(load_file(folder / WEIGHTS), target / WEIGHTS, signed)
    return target


@pytest.mark.parametrize(
    "spec",
    [
        {"depths": [10**9, 2]},
        {"depths": [2, 10**18]},
        {"embed_dim": 10**15, "num_heads": [1, 1]},
        {"embed_dim": 96.5},
        {"embed_dim": "96"},
        {"embed_dim": None},
        {"mlp_ratio": float("inf")},
        {"mlp_ratio": float("nan")},
        {"window_sizes": [[10**9, 10**9], [10**9, 10**9]]},
        {"absolute_grid": [10**10, 10**10]},
        {"patch": [10**10, 10**10]},
        {"in_channels": 10**30},
        {"border": "os.system"},
        {"_instantiator": "os.system"},
    ],
)
def test_a_hostile_spec_is_refused(folder: Path, tmp_path: Path, spec: dict[str, object]):
    path = spoiled(folder, tmp_path / "model", **spec)
    with pytest.raises(SwinkitError):
        swinkit.load(path)


@pytest.mark.parametrize("name", [CONFIG, LABELS, PREPROCESS])
@pytest.mark.parametrize(
    "text", ["", "[" * 100_000, '{"a": ' * 100_000, "9" * 10_000, "\ud800", "null", '"x"', "{}", "[1]", "NaN"]
)
def test_hostile_json_is_refused(folder: Path, tmp_path: Path, name: str, text: str):
    path = spoiled(folder, tmp_path / "model")
    (path / name).write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(SwinkitError):
        swinkit.load(path)


@pytest.mark.parametrize("name", [CONFIG, LABELS, PREPROCESS, WEIGHTS])
def test_a_pipe_in_a_folder_is_refused_without_opening_it(folder: Path, tmp_path: Path, name: str):
    path = spoiled(folder, tmp_path / "model")
    (path / name).unlink()
    os.mkfifo(path / name)
    with pytest.raises(SwinkitError):
        swinkit.load(path)

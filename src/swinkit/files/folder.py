"""A saved model: a folder of weights and of the data that describe them.

It holds `model.safetensors`, `config.json`, `preprocess.json`, `labels.json` and a card, `README.md`. A model
that was measured when it was saved also has `metrics.json`. The JSON files are data only: nothing in them can
name code.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import load_file

from ..errors import DataError, listed
from ..version import __version__
from .atomic import atomic_write, refuse_to_replace
from .contents import State
from .plain import read_json, read_safetensors, read_text, write_safetensors

WEIGHTS, CONFIG, PREPROCESS, LABELS, CARD = FILES = (
    "model.safetensors",
    "config.json",
    "preprocess.json",
    "labels.json",
    "README.md",
)
METRICS = "metrics.json"  # for people and scripts; loading a model does not read it


@dataclass(frozen=True)
class SavedModel:
    """Content of a saved model's folder. `labels` name the classes, by index; `card` is Markdown.

    `metrics`, where they are known, are what the model has come to, on which data, and how that was measured.
    """

    config: dict[str, Any]
    preprocess: dict[str, Any]
    labels: list[str]
    state: State
    card: str
    metrics: dict[str, Any] | None = None


def write_folder(path: str | os.PathLike[str], saved: SavedModel) -> None:
    """Write `saved` as the folder `path`, all of it or nothing.

    It is written beside `path`, reopened and compared, and only then takes its name. A saved model that
    stood there is replaced; any other folder is left alone.

    Raises:
        UsageError: `path` is a file, or a folder with anything but a saved model in it.
        EnvironmentProblem: it cannot be written (no space, no permission); what stood at `path` is kept.
    """
    path = Path(path)
    refuse_to_replace(path, (*FILES, METRICS), "saved model")
    with atomic_write(path) as partial:
        partial.mkdir(parents=True)
        write_files(partial, saved)
        check_written(partial / WEIGHTS, saved.state)


def write_files(folder: Path, saved: SavedModel) -> None:
    """Write all files of `saved` into `folder`."""
    plain = {CONFIG: saved.config, PREPROCESS: saved.preprocess, LABELS: saved.labels}
    if saved.metrics is not None:
        plain[METRICS] = saved.metrics
    texts = {name: json.dumps(value, indent=2, ensure_ascii=False) + "\n" for name, value in plain.items()}
    texts[CARD] = saved.card
    for name, text in texts.items():
        # A label from a file name may hold bytes that are no text; they are escaped as JSON escapes them.
        (folder / name).write_text(text, encoding="utf-8", errors="backslashreplace")
    metadata = {"format": "pt", "swinkit": __version__, "config_sha256": fingerprint(saved.config)}
    write_safetensors(folder / WEIGHTS, saved.state, metadata)


def check_written(path: Path, state: State) -> None:
    """Read the written weights again; every tensor must have its name, shape and type."""
    written = {name: (tensor.shape, tensor.dtype) for name, tensor in load_file(path).items()}
    if written != {name: (tensor.shape, tensor.dtype) for name, tensor in state.items()}:
        raise OSError(f"{path.name} did not come out as it was written")


def read_folder(path: str | os.PathLike[str]) -> SavedModel:
    """Read what `write_folder` wrote.

    Raises:
        DataError: naming the file that is missing, damaged, or not of the same model as the others.
    """
    path = Path(path)
    if not path.is_dir():
        raise DataError(f"{path}: no such folder")
    missing = [name for name in FILES if name != CARD and not (path / name).is_file()]
    if missing:
        raise DataError(f"{path} is no saved model: {listed(missing)} missing")
    config = read_json(path / CONFIG, dict)
    labels = read_json(path / LABELS, list)
    if not all(isinstance(label, str) for label in labels):
        raise DataError(f"{path / LABELS}: labels must be texts, one for each class")
    state = read_safetensors(path / WEIGHTS)
    with safe_open(path / WEIGHTS, framework="pt") as file:
        metadata = file.metadata() or {}
    if metadata.get("config_sha256") != fingerprint(config):
        raise DataError(f"{path / CONFIG} is not the one that {WEIGHTS} was saved with; put that one back")
    card = read_text(path / CARD) if (path / CARD).is_file() else ""
    return SavedModel(config, read_json(path / PREPROCESS, dict), labels, state, card)


def fingerprint(config: dict[str, Any]) -> str:
    """Return the SHA-256 of a configuration, whatever the order and layout of its text."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()

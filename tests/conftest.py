"""What all tests share: where the reference data lie, fixed seeds, one thread."""

import os
from pathlib import Path

import hypothesis
import pytest
import torch

hypothesis.settings.register_profile("swinkit", deadline=None, derandomize=True, max_examples=50)
hypothesis.settings.load_profile("swinkit")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data beside the checkout; without it, fail under CI, else skip."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        message = "the reference data of the project (../shared beside the checkout) are not on this machine"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """The models of the tests are too small for more, and one thread adds numbers up in one order."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seed() -> None:
    """Every test draws the same numbers, whichever ran before."""
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _away_from_the_world(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test uses the network or the user's downloads; those of downloading allow themselves a server."""
    monkeypatch.setenv("SWINKIT_OFFLINE", "1")
    monkeypatch.setenv("SWINKIT_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.delenv("SWINKIT_MIRROR", raising=False)

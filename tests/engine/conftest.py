"""The engine, built once for every instruction set that this machine has."""

import os
import platform
import shutil
from pathlib import Path

import pytest
import torch

from swinkit.engine.cpu import build
from swinkit.engine.cpu.library import NativeLibrary
from swinkit.errors import EnvironmentProblem

WIDEST = {"avx512": ["avx512", "avx2"], "avx2": ["avx2"]}


def instruction_sets() -> list[str]:
    """Those of the engine that this machine can run."""
    if platform.machine().lower() in ("aarch64", "arm64"):
        return ["neon"]
    return WIDEST.get(torch.backends.cpu.get_cpu_capability().lower(), [])


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a cache in which all tests of a session, of all workers, find what the first of them built."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "engine-cache"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(params=instruction_sets())
def engine(request: pytest.FixtureRequest, cache: Path, monkeypatch: pytest.MonkeyPatch) -> NativeLibrary:
    """Built for one instruction set, and what `ready` gives."""
    try:
        build.compiler()
    except EnvironmentProblem as error:
        pytest.skip(str(error))
    monkeypatch.setenv("SWINKIT_CACHE", str(cache))
    monkeypatch.setattr(build, "instruction_set", lambda: request.param)
    return build.build_engine()


@pytest.fixture
def compiler() -> str:
    """Return the command of a C++ compiler."""
    found = shutil.which("c++") or shutil.which("g++")
    if found is None:
        pytest.skip("no C++ compiler is installed")
    return found

"""The engine is built whole or not at all, and only when it is asked for."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from swinkit.engine.cpu import build
from swinkit.engine.cpu.library import NativeLibrary
from swinkit.errors import EnvironmentProblem

pytestmark = pytest.mark.slow


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a cache with nothing in it."""
    monkeypatch.setenv("SWINKIT_CACHE", str(tmp_path))
    return tmp_path / "engine"


COPY = 'while [ "$1" != -o ]; do shift; done; cp {} "$2"'  # a compiler that finds its work done


def script(folder: Path, name: str, text: str) -> Path:
    """Return a compiler of our own."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_asking_whether_it_is_ready_builds_nothing(empty):
    assert build.find_library() is None
    assert not empty.exists()


def test_a_built_engine_is_found(engine):
    assert build.find_library() is engine
    assert engine.path.name.startswith("swinkit-")


def test_without_a_compiler_one_line_says_what_to_install(empty, monkeypatch):
    monkeypatch.setattr(build, "instruction_set", lambda: "avx2")
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(EnvironmentProblem, match=r"apt install g\+\+") as caught:
        build.build_engine()
    assert "\n" not in str(caught.value)


def test_a_cpu_that_is_too_old_is_told(empty, monkeypatch):
    monkeypatch.setattr(build, "instruction_set", lambda: None)
    assert build.find_library() is None
    with pytest.raises(EnvironmentProblem, match="AVX2, AVX-512 or NEON"):
        build.build_engine()


def test_a_compiler_that_fails_is_quoted_in_one_line_and_leaves_nothing(empty, monkeypatch):
    monkeypatch.setattr(build, "instruction_set", lambda: "avx2")
    path = script(
        empty.parent, "broken", "echo 'note: hm' >&2; echo 'a.h:1: error: no such thing' >&2; exit 1"
    )
    monkeypatch.setenv("CXX", str(path))
    with pytest.raises(
        EnvironmentProblem, match=r"cannot compile the engine: a\.h:1: error: no such thing"
    ) as caught:
        build.build_engine()
    assert "\n" not in str(caught.value)
    assert list(empty.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told(empty, monkeypatch):
    monkeypatch.setattr(build, "instruction_set", lambda: "avx2")
    monkeypatch.setattr(build, "compiler", lambda: "c++")
    empty.write_text("a file in its place")
    with pytest.raises(EnvironmentProblem, match="cannot be built in"):
        build.build_engine()


def test_a_damaged_library_is_as_good_as_none_and_is_built_anew(engine, empty, monkeypatch, caplog):
    path = build.library_path(build.instruction_set())
    path.parent.mkdir()
    path.write_text("no library")
    assert build.find_library() is None
    assert "cannot be loaded" in caplog.text
    copy = script(empty.parent, "copy", COPY.format(engine.path))
    monkeypatch.setenv("CXX", str(copy))
    assert isinstance(build.build_engine(), NativeLibrary)


BUILDING = "from swinkit.engine.cpu import build; build.build_engine()"


def test_a_build_that_is_killed_leaves_no_half(engine, empty, monkeypatch):
    """The compiler has written, but not returned, when its caller is killed."""
    slow = script(
        empty.parent,
        "slow",
        f'while [ "$1" != -o ]; do shift; done; head -c 9999 {engine.path} > "$2"; sleep 60',
    )
    process = subprocess.Popen(
        [sys.executable, "-c", BUILDING], env=os.environ | {"CXX": str(slow)}, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while not list(empty.glob("building-*/*.so")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert list(empty.glob("*.so")) == []
    assert build.find_library() is None
    (left,) = empty.glob("building-*")
    os.utime(left, (0, 0))
    copy = script(empty.parent, "copy", COPY.format(engine.path))
    monkeypatch.setenv("CXX", str(copy))
    build.build_engine()
    assert not left.exists()  # the next one clears away


def test_the_name_tells_sources_and_instruction_set_apart(monkeypatch, tmp_path):
    names = {build.library_path(name).name for name in build.INSTRUCTION_SETS}
    assert len(names) == len(build.INSTRUCTION_SETS)
    (tmp_path / "engine.cpp").write_text("int other;")
    monkeypatch.setattr(build, "SOURCES", tmp_path)
    build.hash_sources.cache_clear()
    try:
        assert build.library_path("avx2").name not in names
    finally:
        build.hash_sources.cache_clear()


def test_every_source_is_in_the_package(root):
    """What is compiled travels with the wheel: it lies in the package."""
    assert build.SOURCES.is_relative_to(root / "src" / "swinkit")
    included = {
        line.split('"')[1]
        for p in build.SOURCES.iterdir()
        for line in p.read_text().splitlines()
        if line.startswith('#include "')
    }
    assert included <= {path.name for path in build.SOURCES.iterdir()}

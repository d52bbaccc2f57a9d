"""The engine's C++ by itself, under compilers' sanitizers, and for ARM under an emulator."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from swinkit.engine.cpu.build import FLAGS, INSTRUCTION_SETS

from .conftest import instruction_sets

pytestmark = pytest.mark.slow

SOURCE = Path(__file__).parent / "sanitize.cpp"
PLAIN = [flag for flag in FLAGS if flag not in ("-O3", "-fPIC", "-shared")]
ARM_COMPILER, ARM_EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64"


def total(compiler: str, flags: list[str], program: Path, trials: int, *through: str) -> str:
    """Compile, run, and give the sum of all answers; whatever a sanitizer says fails the test."""
    made = [compiler, *PLAIN, *flags, "-o", str(program), str(SOURCE)]
    subprocess.run(made, check=True, timeout=300)
    run = subprocess.run(
        [*through, str(program), str(trials)], capture_output=True, text=True, timeout=600, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    said = re.fullmatch(rf"{trials} random models with .* total (\S+)\n", run.stdout)
    assert said is not None, run.stdout
    return said[1]


@pytest.mark.parametrize(
    ("sanitizers", "trials"),
    [
        ("address,undefined", 50),
        pytest.param("address,undefined", 1000, marks=pytest.mark.nightly),
        pytest.param("thread", 100, marks=pytest.mark.nightly),
    ],
)
def test_nothing_is_touched_that_should_not_be(compiler, sanitizers, trials, tmp_path):
    """No array is left, no piece of the engine's own memory, and no thread meets another's work."""
    flags = ["-O1", "-g", f"-fsanitize={sanitizers}", "-fno-sanitize-recover=all"]
    total(compiler, [*flags, *INSTRUCTION_SETS[instruction_sets()[0]]], tmp_path / "program", trials)


def test_arm_answers_as_this_machine_does(compiler, tmp_path):
    """From the same source, by a cross compiler and an emulator; with as few lanes on both sides."""
    absent = [name for name in (ARM_COMPILER, ARM_EMULATOR) if shutil.which(name) is None]
    if absent:
        pytest.skip(f"not installed: {', '.join(absent)} (apt install g++-aarch64-linux-gnu qemu-user)")
    here = total(compiler, ["-O2"], tmp_path / "here", 100)  # registers of four numbers, as NEON's
    there = total(ARM_COMPILER, ["-O2", "-static"], tmp_path / "there", 100, ARM_EMULATOR)
    assert float(here) == pytest.approx(float(there), rel=1e-6)

"""What must answer at once does not import torch. What was imported is tested, not the time it took."""

import json
import subprocess
import sys

import pytest

HEAVY = {"torch", "torchvision", "numpy", "PIL", "safetensors", "huggingface_hub"}

# Runs `python -m swinkit ARGUMENTS` and tells on its last line what was imported, whatever the exit code.
COMMAND = """
import json, runpy, sys
try:
    runpy.run_module("swinkit", run_name="__main__", alter_sys=True)
except SystemExit as end:
    code = end.code
print()
print(json.dumps({"code": code, "imported": sorted({name.partition(".")[0] for name in sys.modules})}))
"""


def run(code: str, *arguments: str) -> list[str]:
    """The lines that a fresh interpreter prints."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--help"], "usage: swinkit"),
        (["--version"], "swinkit "),
        (["models"], "swin-t "),
        (["models", "--json"], '"swin-t"'),
        (["models", "swin-t"], "swin-t/imagenet-1k "),
        (["cache", "list", "--json"], "[]"),
        (["recipes"], "imagenet-swin-t "),
        (["recipes", "show", "imagenet-swin-t", "--json"], '"variant": "swin-t"'),
    ],
)
def test_commands_that_only_tell_do_not_import_torch(arguments: list[str], expected: str):
    *output, last = run(COMMAND, *arguments)
    end = json.loads(last)
    assert end["code"] in (None, 0)
    assert expected in "\n".join(output)
    assert not HEAVY & set(end["imported"])


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["train", "--help"], 0),
        (["train", "cifar10-swin-pico", "data=x", "out=y", "epochs=3"], 2),
        (["train", "cifar10-swin-pico", "data=x", "out=y", "schedule.epochs=three"], 2),
        (["train", "cifar10-swin-pico", "schedule.epochs=3"], 2),
        (["pretrain", "swin-t", "--help"], 0),
        (["evaluate", "--help"], 0),
        (["evaluate", "swin-t/imagenet-1k", "splat=val"], 2),
    ],
)
def test_what_is_refused_or_explained_is_so_before_torch_is_imported(arguments: list[str], code: int):
    end = json.loads(run(COMMAND, *arguments)[-1])
    assert end["code"] == code
    assert not HEAVY & set(end["imported"])


@pytest.mark.parametrize(
    "module",
    [
        "swinkit",
        "swinkit.errors",
        "swinkit.core.spec",
        "swinkit.models.specs",
        "swinkit.models.catalogue",
        "swinkit.zoo.checkpoints",
        "swinkit.zoo.cache",
    ],
)
def test_facts_import_without_torch(module: str):
    code = f"import json, sys, {module}; print(json.dumps([name.partition('.')[0] for name in sys.modules]))"
    assert not HEAVY & set(json.loads(run(code)[-1]))


def test_a_prediction_does_not_wait_for_torchvision():
    """It takes longer than torch to import; of use for names of ImageNet's classes, and in training."""
    code = """
import sys, swinkit
from PIL import Image
swinkit.load("swin-pico/cifar-10").predict(Image.new("RGB", (40, 50)))
print("torchvision" in sys.modules)
"""
    assert run(code) == ["False"]


def test_the_public_names_are_listed_before_they_are_imported():
    code = "import sys, swinkit; print(set(swinkit.__all__) <= set(dir(swinkit)), 'torch' in sys.modules)"
    assert run(code) == ["True False"]

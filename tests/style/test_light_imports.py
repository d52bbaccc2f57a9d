"""What must answer at once does not import torch. What was imported is tested, not the time it took."""

import json
import subprocess
import sys

HEAVY = {"torch", "torchvision", "numpy", "PIL", "safetensors", "huggingface_hub"}

# Runs `python -m swinkit ARGUMENTS` for each list of arguments, one after the other in the same interpreter.
# Prints a line of JSON for each: the exit code, what was said, and the packages it imported first.
COMMANDS = """
import contextlib, io, json, runpy, sys
for arguments in json.loads(sys.argv[1]):
    before, said, code = set(sys.modules), io.StringIO(), 0
    sys.argv = ["swinkit", *arguments]
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            runpy.run_module("swinkit", run_name="__main__", alter_sys=True)
        except SystemExit as end:
            code = end.code or 0
    imported = sorted({name.partition(".")[0] for name in set(sys.modules) - before})
    print(json.dumps({"code": code, "said": said.getvalue(), "imported": imported}))
"""

TOLD = {  # command: what it prints
    "--help": "usage: swinkit",
    "--version": "swinkit ",
    "models": "swin-t ",
    "models --json": '"swin-t"',
    "models swin-t": "swin-t/imagenet-1k ",
    "cache list --json": "[]",
    "recipes": "imagenet-swin-t ",
    "recipes show imagenet-swin-t --json": '"variant": "swin-t"',
}
EXPLAINED = ("train --help", "pretrain swin-t --help", "evaluate --help", "bench --help")
REFUSED = (
    "train cifar10-swin-pico data=x out=y epochs=3",
    "train cifar10-swin-pico data=x out=y schedule.epochs=three",
    "train cifar10-swin-pico schedule.epochs=3",
    "evaluate swin-t/imagenet-1k splat=val",
    "bench swim-t",
)
FACTS = (
    "swinkit",
    "swinkit.errors",
    "swinkit.core.spec",
    "swinkit.models.specs",
    "swinkit.models.catalogue",
    "swinkit.zoo.checkpoints",
    "swinkit.zoo.cache",
    "swinkit.tasks.registry",
    "tests.tasks.made_up.task_type",
)


def run(code: str, *arguments: str) -> list[str]:
    """Return the lines that a fresh interpreter prints."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_commands_that_need_no_torch_do_not_import_it():
    commands = [*TOLD, *EXPLAINED, *REFUSED]
    lines = run(COMMANDS, json.dumps([command.split() for command in commands]))
    found = dict(zip(commands, map(json.loads, lines), strict=True))
    assert {command: heavy for command, end in found.items() if (heavy := HEAVY & set(end["imported"]))} == {}
    codes = dict.fromkeys([*TOLD, *EXPLAINED], 0) | dict.fromkeys(REFUSED, 2)
    assert {command: end["code"] for command, end in found.items()} == codes
    assert [command for command, expected in TOLD.items() if expected not in found[command]["said"]] == []


def test_facts_import_without_torch():
    code = "import importlib, json, sys\nfor name in sys.argv[1:]:\n    importlib.import_module(name)\n"
    code += "    print(json.dumps([each.partition('.')[0] for each in sys.modules]))"
    found = dict(zip(FACTS, map(json.loads, run(code, *FACTS)), strict=True))
    assert [name for name, imported in found.items() if HEAVY & set(imported)] == []


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

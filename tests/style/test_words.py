"""One word per concept: the words that CONTRIBUTING.md rules out are in no name that we define."""

import ast
from collections.abc import Iterator
from pathlib import PurePosixPath

import pytest

from .source import Function, Module, modules

AVOIDED = {"img", "imgs", "chans", "cfg", "B_", "nW", "BasicLayer"}
HOMELESS = {"utils", "util", "helpers", "helper", "common", "misc"}


def defined(module: Module) -> Iterator[str]:
    """Yield every name that a module gives to something."""
    for node in ast.walk(module.tree):
        if isinstance(node, Function | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.id if isinstance(node, ast.Name) else node.attr


def complaints(module: Module) -> list[str]:
    """Return the names, and parts of names joined by underscores, that are to be avoided."""
    words = {word for name in defined(module) for word in (name, *name.split("_"))}
    places = set(PurePosixPath(module.path).with_suffix("").parts)
    return sorted(words & AVOIDED) + sorted(places & HOMELESS)


def test_no_module_uses_an_avoided_word():
    found = {module.path: complaints(module) for module in modules()}
    assert {path: words for path, words in found.items() if words} == {}


@pytest.mark.parametrize(
    ("path", "code", "found"),
    [
        ("a.py", "in_chans = 3", ["chans"]),
        ("a.py", "def f(img): pass", ["img"]),
        ("a.py", "self.nW = 1", ["nW"]),
        ("core/utils.py", "", ["utils"]),
        ("a.py", "in_channels = dialect['in_chans']", []),
    ],
)
def test_an_avoided_word_would_be_found(path: str, code: str, found: list[str]):
    assert complaints(Module(path, code)) == found

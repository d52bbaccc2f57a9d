"""Nothing in the package can unpickle a file that it is given."""

import ast

import pytest

from .source import Module, dotted, modules

PICKLERS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
HARMLESS = {("pickle", "UnpicklingError")}  # what torch raises when it refuses a file
FORBIDDEN_CALLS = {"eval", "exec", "torch.jit.load", "torch.package.PackageImporter", "yaml.load"}


def complaints(module: Module) -> list[str]:
    """Where a module could run code from a file."""
    return [f"{module.path}:{node.lineno}" for node in ast.walk(module.tree) if is_unsafe(node)]


def is_unsafe(node: ast.AST) -> bool:
    """Whether one node of a syntax tree unpickles, or could."""
    if isinstance(node, ast.Import):
        return any(alias.name.partition(".")[0] in PICKLERS for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        package = (node.module or "").partition(".")[0]
        names = {(package, alias.name) for alias in node.names}
        return (package in PICKLERS and not names <= HARMLESS) or ("torch", "load") in names
    if not isinstance(node, ast.Call):
        return False
    name, keywords = dotted(node.func), {keyword.arg: keyword.value for keyword in node.keywords}
    if name == "torch.load":
        return not is_constant(keywords.get("weights_only"), True)
    if name in ("np.load", "numpy.load"):
        return not is_constant(keywords.get("allow_pickle", ast.Constant(False)), False)
    return name in FORBIDDEN_CALLS


def is_trusting(module: Module) -> bool:
    """Whether a module lets torch's reader make more than tensors."""
    return any(
        alias.name in ("safe_globals", "add_safe_globals")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ) or any(
        "safe_globals" in dotted(node) for node in ast.walk(module.tree) if isinstance(node, ast.Attribute)
    )


def is_constant(node: ast.expr | None, value: bool) -> bool:
    """Whether an argument is written out as `value`."""
    return isinstance(node, ast.Constant) and node.value is value


def test_the_package_cannot_unpickle():
    assert [complaint for module in modules() for complaint in complaints(module)] == []


def test_only_the_stand_ins_add_to_what_torch_may_make():
    assert [module.path for module in modules() if is_trusting(module)] == ["files/pickle_stubs.py"]


@pytest.mark.parametrize(
    "code",
    [
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.load(path, weights_only=safe)",
        "from torch import load",
        "import pickle",
        "from pickle import loads",
        "np.load(path, allow_pickle=True)",
        "eval(text)",
    ],
)
def test_unsafe_code_would_be_found(code: str):
    assert complaints(Module("sample.py", code)) == ["sample.py:1"]


@pytest.mark.parametrize(
    "code",
    [
        "torch.load(path, weights_only=True)",
        "from pickle import UnpicklingError",
        "np.load(path)",
        "model.eval()",
    ],
)
def test_safe_code_is_let_through(code: str):
    assert complaints(Module("sample.py", code)) == []

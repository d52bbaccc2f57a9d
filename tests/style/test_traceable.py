"""Operations that ONNX exporters write wrongly are not used in code that they trace."""

import ast

import pytest

from .source import Module, modules

TRACED = ("core/", "heads/", "tasks/")  # below the package: modules whose forward becomes a graph


def complaints(module: Module) -> list[str]:
    """Return the places of negative dividends and of `movedim`.

    ONNX's division truncates where Python's `//` and `%` floor, and the older exporter writes `movedim` with
    axes that there are not.
    """
    return [f"{module.path}:{node.lineno}" for node in ast.walk(module.tree) if is_untraceable(node)]


def is_untraceable(node: ast.AST) -> bool:
    """Return whether a node divides a negated value, or calls `movedim`."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.FloorDiv | ast.Mod):
        return has_negation(node.left) or has_negation(node.right)
    return isinstance(node, ast.Attribute) and node.attr in ("movedim", "moveaxis")


def has_negation(node: ast.AST) -> bool:
    """Return whether an expression negates something, indices aside."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return True
    parts = [node.value] if isinstance(node, ast.Subscript) else ast.iter_child_nodes(node)
    return any(map(has_negation, parts))


@pytest.mark.parametrize(
    "code", ["-(-a // b)", "(1 - -a) % b", "x.movedim(1, -1)", "torch.moveaxis(x, 0, 1)"]
)
def test_an_operation_that_exporters_write_wrongly_is_found(code):
    assert any(is_untraceable(node) for node in ast.walk(ast.parse(code)))


@pytest.mark.parametrize(
    "code", ["(a + b - 1) // b", "a % b", "-a / b", "x.permute(0, 2, 1)", "x.shape[-1] // 2"]
)
def test_others_are_not(code):
    assert not any(is_untraceable(node) for node in ast.walk(ast.parse(code)))


def test_nothing_that_is_traced_holds_one():
    traced = [module for module in modules() if module.path.startswith(TRACED)]
    assert len(traced) > 40
    assert [place for module in traced for place in complaints(module)] == []

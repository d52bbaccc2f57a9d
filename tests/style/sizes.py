"""How large files, functions and constructors are: `python -m tests.style.sizes`. Shown, not enforced."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from .source import Function, Module, modules

LIMITS = {"file": 300, "function": 40, "constructor": 8}
UNITS = {"file": "lines", "function": "lines", "constructor": "arguments"}


@dataclass(frozen=True)
class Size:
    """One thing that was measured; `kind` is a key of `LIMITS`, `amount` is in its unit."""

    kind: str
    name: str
    amount: int


def measure(module: Module) -> Iterator[Size]:
    """Yield the sizes of the file, its functions (with docstrings) and constructors (without `self`)."""
    yield Size("file", module.path, len(module.text.splitlines()))
    for node in ast.walk(module.tree):
        if isinstance(node, Function):
            name = f"{module.path}:{node.lineno} {node.name}"
            yield Size("function", name, (node.end_lineno or node.lineno) - node.lineno + 1)
            if node.name == "__init__":
                yield Size("constructor", name, len(node.args.args) + len(node.args.kwonlyargs) - 1)


def report(sizes: list[Size]) -> str:
    """One line for each kind: how many, the largest; then what is beyond the limit."""
    lines = []
    for kind, limit in LIMITS.items():
        found = sorted((size for size in sizes if size.kind == kind), key=lambda size: -size.amount)
        beyond = [size for size in found if size.amount > limit]
        largest = f"largest {found[0].amount} ({found[0].name})" if found else "none"
        lines.append(f"{len(found)} {kind}s: {len(beyond)} beyond {limit} {UNITS[kind]}, {largest}")
        lines += [f"  {size.name}: {size.amount} {UNITS[kind]}" for size in beyond]
    return "\n".join(lines)


if __name__ == "__main__":
    print(report([size for module in modules() for size in measure(module)]))

"""The ledger and its tests hang together."""

import re
from pathlib import Path

LEDGER = "docs/parity.md"
TESTS = ("tests/parity/test_ledger.py", "tests/parity/test_ledger_transformers.py")


def test_every_test_that_the_ledger_names_exists(root: Path):
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (root / LEDGER).read_text(encoding="utf-8"))
    assert named
    missing = [f"{path}::{test}" for path, test in named if f"def {test}(" not in source(root / path)]
    assert missing == []


def test_every_difference_that_is_tested_has_its_row(root: Path):
    ledger = (root / LEDGER).read_text(encoding="utf-8")
    tests = [
        f"`{path}::{test}`"
        for path in TESTS
        for test in re.findall(r"^def (test_\w+)\(", source(root / path), re.MULTILINE)
    ]
    assert len(tests) > 20
    assert [test for test in tests if test not in ledger] == []


def test_every_row_of_the_ledger_has_four_cells_and_a_test(root: Path):
    rows = [
        line
        for line in (root / LEDGER).read_text(encoding="utf-8").splitlines()
        if re.match(r"\| [^-]", line)
    ]
    rows = [row for row in rows if not row.startswith("| Difference ")]
    assert len(rows) > 20
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert len(cells) == 4, row
        assert all(cells), row
        assert "::test_" in cells[3], row


def source(path: Path) -> str:
    """Empty if there is no such file."""
    return path.read_text(encoding="utf-8") if path.is_file() else ""

from .sizes import Size, measure, report
from .source import Module

SAMPLE = Module("core/sample.py", "class A:\n    def __init__(self, a, b, *, c):\n        self.a = a\n")


def test_files_functions_and_constructors_are_measured():
    assert list(measure(SAMPLE)) == [
        Size("file", "core/sample.py", 3),
        Size("function", "core/sample.py:2 __init__", 2),
        Size("constructor", "core/sample.py:2 __init__", 3),
    ]


def test_the_report_names_what_is_beyond_the_limit():
    lines = report([Size("file", "a.py", 301), Size("file", "b.py", 300)]).splitlines()
    assert lines[0] == "2 files: 1 beyond 300 lines, largest 301 (a.py)"
    assert lines[1] == "  a.py: 301 lines"

"""Tables for terminals and pipes: aligned columns of plain text, a line a row."""

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = ()) -> str:
    """Lines of aligned cells, none cut, as pipes want them whole; the columns `right` hold numbers."""
    lines = [head, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    aligned = [
        "  ".join(
            cell.rjust(width) if name in right else cell.ljust(width)
            for cell, width, name in zip(line, widths, head, strict=True)
        )
        for line in lines
    ]
    return "\n".join(line.rstrip() for line in aligned)

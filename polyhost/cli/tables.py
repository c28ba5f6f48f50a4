"""Tables of text for the terminal."""

from __future__ import annotations

from collections.abc import Sequence


def render(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns side by side under their headings; a cell may have several lines."""
    cells = [[cell.splitlines() or [""] for cell in row] for row in [headings, *rows]]
    widths = [max(len(line) for row in cells for line in row[i]) for i in range(len(headings))]
    rule = "-" * (sum(widths) + 3 * (len(widths) - 1))
    shown = ["\n".join(_lines(row, widths)) for row in cells]
    return "\n".join([rule, shown[0], rule, *shown[1:], rule])


def _lines(row: Sequence[Sequence[str]], widths: Sequence[int]) -> list[str]:
    """The lines of one row, cells padded to the widths of their columns."""
    height = max(len(cell) for cell in row)
    padded = [[*cell, *[""] * (height - len(cell))] for cell in row]
    return [
        "   ".join(cell[i].ljust(width) for cell, width in zip(padded, widths)).rstrip()
        for i in range(height)
    ]

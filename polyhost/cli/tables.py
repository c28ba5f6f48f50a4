"""Tables of text for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest


def aligned(
    rows: Sequence[Sequence[str]], *, gap: str = "  ", right_from: int | None = None
) -> list[str]:
    """A line for each row, its columns as wide as they need; those from ``right_from`` on are
    aligned to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        gap.join(
            cell.ljust(width) if right_from is None or place < right_from else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def render(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns under their headings, between rules; a cell may have several lines."""
    heights, lines = [], []
    for row in [headings, *rows]:
        cells = [cell.splitlines() or [""] for cell in row]
        lines += list(zip_longest(*cells, fillvalue=""))
        heights.append(max(map(len, cells)))
    rule = "-" * (sum(max(map(len, column)) for column in zip(*lines)) + 3 * (len(headings) - 1))
    shown = aligned(lines, gap="   ")
    return "\n".join([rule, *shown[: heights[0]], rule, *shown[heights[0] :], rule])

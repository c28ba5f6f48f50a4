"""A CSV file that a command cuts, blanks and repeats."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass

LEAST_ROWS, MOST_ROWS = 10, 1000
"""Bounds of a sample."""


@dataclass(frozen=True)
class Rows:
    """A CSV file as text cells, so that what is written again is what was read."""

    names: list[str]
    cells: list[list[str]]

    @classmethod
    def read(cls, body: bytes) -> Rows:
        """The cells of a body; blank lines count in files of one column."""
        lines = list(csv.reader(io.StringIO(body.decode("utf-8-sig", "replace"), newline="")))
        names = lines[0] if lines else []
        return cls(names, [line or [""] for line in lines[1:] if line or len(names) == 1])

    def encoded(self) -> bytes:
        """The file again."""
        return _text([self.names, *self.cells])

    def blanked(self, column: int) -> Rows:
        """The same with one column empty."""
        return Rows(self.names, [[*c[:column], "", *c[column + 1 :]] for c in self.cells])

    def sample(self) -> tuple[list[int], Rows]:
        """A tenth of the rows, spread evenly, and where they were."""
        wanted = min(len(self.cells), max(LEAST_ROWS, min(MOST_ROWS, len(self.cells) // 10)))
        places = [i * len(self.cells) // wanted for i in range(wanted)]
        return places, Rows(self.names, [self.cells[i] for i in places])

    def repeated(self, rows: int) -> bytes:
        """A file of so many rows: these, again and again."""
        times, rest = divmod(rows, len(self.cells))
        return _text([self.names]) + _text(self.cells) * times + _text(self.cells[:rest])

    def rows_for(self, size: float) -> int:
        """How many rows make a file of so many bytes; at least one."""
        return max(1, round(size * len(self.cells) / len(_text(self.cells))))


def _text(lines: Iterable[list[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(lines)
    return out.getvalue().encode("utf-8")

"""What is wrong with a client's table, in each format, and what the answer is; docs/formats.md has
the table that :func:`page` makes of it.

The rows are a model's own good ones: names, and two rows of cells as a CSV file has them.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyarrow import parquet

REFUSED, MISSING, IGNORED, NEVER = "422", "missing", "ignored", "-"
"""Answers: an error; as with a missing value there; as without it; the format cannot say that."""

CONTENT_TYPES = {
    "csv": "text/csv",
    "json-split": "application/json",
    "json-records": "application/json",
    "arrow": "application/vnd.apache.arrow.stream",
    "parquet": "application/vnd.apache.parquet",
}

Rows = list[list[Any]]


@dataclass(frozen=True)
class Grid:
    """Column names and rows. ``number`` is the position of a column of numbers."""

    names: list[str]
    rows: Rows
    number: int = 0

    def with_cell(self, value: Any) -> Grid:
        """The same with this value in the second row's cell of numbers."""
        rows = [list(row) for row in self.rows]
        rows[1][self.number] = value
        return Grid(self.names, rows, self.number)

    def with_column(self, name: str, cells: Sequence[Any]) -> Grid:
        rows = [[*row, cell] for row, cell in zip(self.rows, cells, strict=True)]
        return Grid([*self.names, name], rows, self.number)


@dataclass(frozen=True)
class Fault:
    """``answers``: by format. ``says``: what a 422 names."""

    what: str
    answers: dict[str, str]
    make: Callable[[Grid, str], bytes]
    says: str = "."


def write(grid: Grid, form: str) -> bytes:
    """A grid in a format; None is missing."""
    if form == "csv":
        return as_csv([grid.names, *grid.rows])
    if form == "json-split":
        body: Any = {"dataframe_split": {"columns": grid.names, "data": grid.rows}}
        return json.dumps(body).encode()
    if form == "json-records":
        rows = [dict(zip(grid.names, row, strict=False)) for row in grid.rows]
        return json.dumps({"dataframe_records": rows}).encode()
    columns = list(zip(*grid.rows, strict=True)) or [()] * len(grid.names)
    table = pa.Table.from_arrays([pa.array(column) for column in columns], grid.names)
    sink = pa.BufferOutputStream()
    if form == "parquet":
        parquet.write_table(table, sink)
    else:
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
    return bytes(sink.getvalue())


def as_csv(lines: Rows) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([["" if cell is None else cell for cell in line] for line in lines])
    return out.getvalue().encode("utf-8", "surrogatepass")


def _long(grid: Grid, form: str) -> bytes:
    return write(Grid(grid.names, [grid.rows[0], [*grid.rows[1], 0]]), form)


def _short(grid: Grid, form: str) -> bytes:
    return write(Grid(grid.names, [grid.rows[0], grid.rows[1][:-1]]), form)


def _trailing(grid: Grid, form: str) -> bytes:
    return as_csv([grid.names, *([*row, ""] for row in grid.rows)])


def _trailing_names(grid: Grid, form: str) -> bytes:
    return as_csv([[*grid.names, ""], *([*row, ""] for row in grid.rows)])


def _header(grid: Grid, form: str) -> bytes:
    return write(Grid(grid.names, []), form)


def _bare_header(grid: Grid, form: str) -> bytes:
    return as_csv([grid.names]).rstrip(b"\n")


def _twice(grid: Grid, form: str) -> bytes:
    return write(grid.with_column(grid.names[0], [row[0] for row in grid.rows]), form)


def _other(grid: Grid, form: str) -> bytes:
    return write(grid.with_column("spare", [1.5, 2.5]), form)


def _index(grid: Grid, form: str) -> bytes:
    lines = [grid.names, *grid.rows]
    return as_csv([["" if i == 0 else i - 1, *line] for i, line in enumerate(lines)])


def _not_utf8(grid: Grid, form: str) -> bytes:
    return write(grid.with_cell("caf"), form).replace(b"caf", b"caf\xe9")


def _cell(value: Any) -> Callable[[Grid, str], bytes]:
    return lambda grid, form: write(grid.with_cell(value), form)


def _literal(text: str) -> Callable[[Grid, str], bytes]:
    """A number that JSON has no value for, or no type can hold."""
    return lambda grid, form: write(grid.with_cell("MARK"), form).replace(
        b'"MARK"' if form != "csv" else b"MARK", text.encode()
    )


def _column_cell(value: Any) -> Callable[[Grid, str], bytes]:
    """A column of values like this one, for formats whose columns have one type."""

    def make(grid: Grid, form: str) -> bytes:
        if form in ("csv", "json-split", "json-records"):
            return write(grid.with_cell(value), form)
        rows = [list(row) for row in grid.rows]
        for row in rows:
            row[grid.number] = value
        return write(Grid(grid.names, rows, grid.number), form)

    return make


def answers(csv: str, split: str, records: str, columnar: str) -> dict[str, str]:
    return {
        "csv": csv,
        "json-split": split,
        "json-records": records,
        "arrow": columnar,
        "parquet": columnar,
    }


ALL = answers(REFUSED, REFUSED, REFUSED, REFUSED)
CSV_ONLY = answers(REFUSED, NEVER, NEVER, NEVER)

FAULTS = [
    Fault("a row longer than the header", answers("422", "422", "-", "-"), _long, "row"),
    Fault("a row shorter than the header", answers("422", "422", "-", "-"), _short, "row"),
    Fault(
        "a separator at the end of each row, but not of the header", CSV_ONLY, _trailing, "row 1"
    ),
    Fault(
        "a separator at the end of each row and of the header",
        answers(IGNORED, NEVER, NEVER, NEVER),
        _trailing_names,
    ),
    Fault("a header without rows", answers("422", "422", "-", "422"), _header, "no rows"),
    Fault("a header alone, without a line end", CSV_ONLY, _bare_header, "no rows"),
    Fault("one name for two columns", answers("422", "422", "-", "422"), _twice, "twice"),
    Fault(
        "a column that the model does not name",
        answers(IGNORED, IGNORED, IGNORED, IGNORED),
        _other,
    ),
    Fault("an index column without a name", answers(IGNORED, NEVER, NEVER, NEVER), _index),
    Fault("text in a column of numbers", ALL, _column_cell("high"), "high"),
    Fault("a NUL character in a text", ALL, _column_cell("a\0b"), "NUL"),
    Fault(
        "bytes that are not UTF-8", answers("422", "422", "422", "-"), _not_utf8, "UTF-8|valid JSON"
    ),
    Fault(
        "half of a surrogate pair",
        answers("422", "422", "422", "-"),
        _cell("a\ud800"),
        "surrogate|UTF-8",
    ),
    Fault("a list in a cell", answers(NEVER, "422", "422", "422"), _column_cell([1, 2]), "list"),
    Fault("an object in a cell", answers(NEVER, "422", "422", "422"), _column_cell({"a": 1})),
    Fault(
        "a number beyond a 64-bit float (1e400)",
        answers("422", "422", "422", "-"),
        _literal("1e400"),
        "1e400",
    ),
    Fault("an empty cell, or null", answers(*[MISSING] * 4), _cell(None)),
    Fault(
        "NaN",
        answers(*[MISSING] * 4),
        lambda grid, form: (
            _literal("NaN")(grid, form) if form.startswith("json") else _column_nan(grid, form)
        ),
    ),
    Fault(
        "the text NA, NaN, N/A, null or None in a column of numbers",
        answers(*[MISSING] * 4),
        lambda grid, form: write(_texts(grid, "NA"), form),
    ),
]


def _column_nan(grid: Grid, form: str) -> bytes:
    return write(grid.with_cell("NaN" if form == "csv" else float("nan")), form)


def _texts(grid: Grid, last: str) -> Grid:
    """The column of numbers as texts, as a format with one type a column has them."""
    rows = [list(row) for row in grid.rows]
    rows[0][grid.number] = str(rows[0][grid.number])
    rows[1][grid.number] = last
    return Grid(grid.names, rows, grid.number)


def cases() -> list[tuple[Fault, str]]:
    """Each fault in each format that can have it."""
    return [
        (fault, form)
        for fault in FAULTS
        for form, answer in fault.answers.items()
        if answer != NEVER
    ]


HEADS = {
    "csv": "CSV",
    "json-split": "JSON `dataframe_split`",
    "json-records": "JSON `dataframe_records`",
    "arrow": "Arrow, Parquet",
}


def page() -> str:
    """The table in docs/formats.md."""
    lines = ["| what | " + " | ".join(HEADS.values()) + " |", "|---" * (len(HEADS) + 1) + "|"]
    for fault in FAULTS:
        cells = [fault.answers[form] for form in HEADS]
        lines.append(f"| {fault.what} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")

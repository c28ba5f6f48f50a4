"""CSV: what pandas reads it as, and DRUM's way of writing it."""

from __future__ import annotations

import csv
import io
import re
from typing import Any, Dict, Iterable, List, Optional

import numpy as np

from polyhost.data.payload import Buffer, Column, Dictionary, Table
from polyhost.errors import InvalidInput
from polyhost.formats import csv_numbers, streams

_NA = frozenset(
    [
        *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND"),
        *("1.#QNAN", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
    ]
)


def read_frame(body: Buffer) -> Any:
    """The DataFrame that ``pandas.read_csv`` makes of a body; InvalidInput when it cannot.

    One-column data is read again with its blank lines kept as missing rows.
    """
    import pandas as pd

    try:
        frame = pd.read_csv(streams.reader(body), low_memory=False)
        if frame.shape[1] == 1:
            frame = pd.read_csv(streams.reader(body), low_memory=False, skip_blank_lines=False)
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"Supplied CSV input file encoding must be UTF-8. Found: {error}. Send the data as "
            "UTF-8."
        ) from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        raise _malformed(str(error), body) from error
    return frame


_NUMBERS_MAX = 1 << 16
_NUMBER = rb"-?[0-9]{1,8}(?:\.[0-9]{1,7})?"
_LINE = _NUMBER + rb"(?:," + _NUMBER + rb")*\r?\n"
_NUMBER_LINES = re.compile(rb"(?:" + _LINE + rb")+")
_PLAIN_HEADER = re.compile(rb'[^"\r\n\xef]+\r?\n')


def read_numbers(body: Buffer) -> Optional[Table]:
    """A small body that holds nothing but short plain numbers, as one matrix; else None.

    Much faster than pandas for a few rows, and the same to the last bit: with at most fifteen
    digits every way of reading a number is exact.
    """
    if len(body) > _NUMBERS_MAX:
        return None
    data = bytes(body)
    if not data.endswith(b"\n"):
        data += b"\n"
    header = _PLAIN_HEADER.match(data)
    if header is None or not _NUMBER_LINES.fullmatch(data, header.end()):
        return None
    try:
        names = header.group().decode("utf-8").rstrip("\r\n").split(",")
    except UnicodeDecodeError:
        return None  # for the reader that explains it
    if len(set(names)) != len(names):
        return None  # as well
    lines = data[header.end() :].split()
    if any(line.count(b",") != len(names) - 1 for line in lines):
        return None
    cells = b",".join(lines).split(b",")
    return Table.from_matrix(names, np.array(cells, dtype=np.float64).reshape(-1, len(names)))


def read_table(body: Buffer) -> Table:
    """The same without pandas: whole numbers, numbers, booleans, else text."""
    try:
        text = str(body, "utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"Supplied CSV input file encoding must be UTF-8. Found: {error}. Send the data as "
            "UTF-8."
        ) from error
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise _malformed(str(error), body) from error
    if not lines or not lines[0]:
        raise _malformed("No columns to parse from file", body)
    names = lines[0]
    rows = [line or [""] for line in lines[1:] if line or len(names) == 1]
    for number, row in enumerate(rows, start=2):
        if len(row) > len(names):
            raise _malformed(f"Expected {len(names)} fields in line {number}, saw {len(row)}", body)
    filled = [row + [""] * (len(names) - len(row)) for row in rows]
    return Table(_unique(names), [_infer(values) for values in zip(*filled)] or _no_rows(names))


def _no_rows(names: List[str]) -> List[np.ndarray]:
    return [np.empty(0, dtype=object) for _ in names]


def _unique(names: List[str]) -> List[str]:
    """Repeated names get ``.1``, ``.2``; empty ones are ``Unnamed: 3``, as in pandas."""
    seen: Dict[str, int] = {}
    out: List[str] = []
    for i, name in enumerate(names):
        name = name or f"Unnamed: {i}"
        count = seen.get(name, 0)
        seen[name] = count + 1
        out.append(f"{name}.{count}" if count else name)
    return out


_WHOLE = re.compile(r" *[+-]?[0-9]+ *")
_REAL = re.compile(r" *[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|inf|infinity) *", re.I)


def typed(column: Dictionary) -> np.ndarray:
    """A column of a file's texts as ``pandas.read_csv`` types it."""
    used = np.unique(column.codes)
    values = _infer([column.values[i] for i in used])
    return np.asarray(values[np.searchsorted(used, column.codes)])


def _infer(values: Iterable[str]) -> np.ndarray:
    cells = [None if value in _NA else value for value in values]
    known = [cell for cell in cells if cell is not None]
    if len(known) == len(cells) and all(map(_WHOLE.fullmatch, known)):
        for kind in (np.int64, np.uint64):
            try:
                return np.array(list(map(int, known)), dtype=kind)
            except OverflowError:
                continue
    if all(map(_REAL.fullmatch, known)):
        return np.array([np.nan if cell is None else float(cell) for cell in cells])
    if {word.lower() for word in known} <= {"true", "false"}:
        flags = [None if cell is None else cell.lower() == "true" for cell in cells]
        return np.array(flags, dtype=bool if len(known) == len(cells) else object)
    return np.array(cells, dtype=object)


def _malformed(reason: str, body: Buffer) -> InvalidInput:
    start = bytes(body[:200]).decode("utf-8", "replace")
    return InvalidInput(
        f"the body is not readable as CSV: {reason.strip()}. Expected a header line and rows of "
        f"as many fields, separated by commas; the data starts {start!r}.",
        reason=reason.strip(),
    )


def write_table(table: Table, newline: str = "\n", header: bool = True) -> bytes:
    """UTF-8 CSV without an index: minimal quotes, missing cells empty, numbers in full."""
    if any(_needs_pandas(column) for column in table.columns):
        text = table.to_pandas().to_csv(index=False, header=header, lineterminator=newline)
        return str(text).encode("utf-8")
    out = io.StringIO()
    writer = csv.writer(out, lineterminator=newline)
    if header:
        writer.writerow(table.names)
    numbers = _numbers(table)
    if numbers is not None:
        head = out.getvalue().encode("utf-8")
        end = newline.encode("ascii")
        return head + (numbers if newline == "\n" else numbers.replace(b"\n", end)) + end
    writer.writerows(zip(*[_cells(column) for column in table.columns]))
    return out.getvalue().encode("utf-8")


def _numbers(table: Table) -> Optional[bytes]:
    """The lines of a table that holds nothing but floating-point numbers."""
    if table.matrix is not None:
        return csv_numbers.rows(table.matrix) if table.matrix.dtype == np.float64 else None
    floats = [c for c in table.columns if isinstance(c, np.ndarray) and c.dtype == np.float64]
    if len(floats) < len(table.columns) or not floats:
        return None
    return csv_numbers.rows(np.column_stack(floats))


def _needs_pandas(column: Column) -> bool:
    return not isinstance(column, Dictionary) and column.dtype.kind not in "biufO"


def _cells(column: Column) -> List[Any]:
    if isinstance(column, Dictionary):
        return list(column.to_objects())
    if column.dtype.kind != "f":
        return [None if _is_nan(cell) else cell for cell in column.tolist()]
    if column.dtype == np.float64:
        return list(csv_numbers.cells(column))
    return ["" if cell != cell else str(cell) for cell in column]


def _is_nan(cell: Any) -> bool:
    return isinstance(cell, float) and cell != cell

"""CSV by the columns that a model reads, as numbers and text.

Types are forced by the model's own schema, never guessed: the category ``007`` stays what it is.
pyarrow parses, and Python's own reader does a body so small that pyarrow's start is all of its
cost. Both must agree with ``Table.readCsv`` of the runtime, which hooks and scoring code get.
"""

from __future__ import annotations

import csv
import io
import re
from typing import Any, Dict, List, Mapping, Optional, Sequence, Set, Tuple

import numpy as np

from polyhost.bridges.java.levels import parse
from polyhost.data.payload import Buffer, Column, Dictionary, Table
from polyhost.errors import InvalidInput

_HEADER_BYTES = 1 << 16
_SMALL = 1 << 12
_BLOCK = 8 << 20
_LINE_ENDS = b"\r\n"
_BAD_NUMBER = re.compile(r"In CSV column #(\d+):.* CSV conversion error to double", re.DOTALL)


def read_columns(body: Buffer, numeric: Mapping[str, bool]) -> Table:
    """The named columns only: those of numbers as float64, the others as text.

    A column of numbers with a cell that is none comes as text too: what reads the table decides
    what such a cell is worth. Of columns of one name the first is read.
    """
    if len(body) <= _SMALL:
        return _read_small(body, numeric)
    body = _trimmed(body)
    names = header(body)
    wanted = {names.index(name): numeric[name] for name in numeric if name in names}
    return _read(body, names, dict(sorted(wanted.items())))


def _read_small(body: Buffer, numeric: Mapping[str, bool]) -> Table:
    """The columns that ``numeric`` names: all as one matrix where all are numbers, else as text."""
    rows = csv.reader(io.StringIO(_decode(bytes(body), whole=True), newline=""))
    names, *cells = [row for row in rows if row] or [[]]
    if not names:
        raise _empty(body)
    for number, row in enumerate(cells, start=1):
        if len(row) != len(names):
            raise _malformed(f"row {number} has {len(row)} cells, the header {len(names)}")
    first: Dict[str, int] = {}
    for i, name in enumerate(names):
        if name in numeric:
            first.setdefault(name, i)
    wanted = first or {names[0]: 0}
    if first and all(map(numeric.__getitem__, first)):
        values = [[parse(row[i]) for i in first.values()] for row in cells]
        matrix = np.array(values, dtype=np.float64).reshape(len(cells), len(first))
        return Table.from_matrix(tuple(first), matrix)
    columns = [[row[i] for row in cells] for i in wanted.values()]
    return Table(tuple(wanted), [_objects(column) for column in columns])


def _objects(cells: Sequence[str]) -> np.ndarray:
    column = np.empty(len(cells), dtype=object)
    column[:] = cells
    return column


def _empty(body: Buffer) -> InvalidInput:
    return InvalidInput(
        "the CSV is empty: expected a header line with the names of the columns; found "
        f"{len(body)} bytes without one."
    )


def _malformed(reason: str) -> InvalidInput:
    return InvalidInput(
        f"the CSV cannot be parsed: {reason}. Expected UTF-8, commas, one header line, and as "
        "many cells in each row as there are names."
    )


def _trimmed(body: Buffer) -> Buffer:
    """Without empty lines before the header, which pyarrow would take for it."""
    start = 0
    while start < len(body) and body[start] in _LINE_ENDS:
        start += 1
    return memoryview(body)[start:] if start else body


def header(body: Buffer) -> List[str]:
    """The names in the first line that is not empty."""
    size = len(body)
    for length in (min(_HEADER_BYTES, size), size):
        text = _decode(bytes(body[:length]), whole=length == size)
        rows = csv.reader(io.StringIO(text, newline=""))
        names = next((row for row in rows if row), None)
        if names is not None and (rows.line_num < text.count("\n") or length == size):
            return names
    raise _empty(body)


def _decode(data: bytes, whole: bool) -> str:
    """The text; where the data is cut off, so may be its last character."""
    try:
        return data.decode("utf-8-sig", "strict" if whole else "ignore")
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"the CSV is not UTF-8: {error}. Supplied CSV input file encoding must be UTF-8."
        ) from error


def _read(body: Buffer, names: Sequence[str], wanted: Dict[int, bool]) -> Table:
    """The columns at the wanted positions; the value says whether one holds numbers."""
    numbers = {position for position, numeric in wanted.items() if numeric}
    if not wanted:
        wanted = {0: False}  # the rows must still be counted
    while True:
        arrow, bad = _attempt(body, len(names), list(wanted), numbers)
        if arrow is not None:
            columns = [_column(arrow.column(i)) for i in range(len(wanted))]
            bad = {p for p, c in zip(wanted, columns) if p in numbers and _has_infinite(c)}
            if not bad:
                return Table([names[position] for position in wanted], columns)
        numbers -= bad


def _attempt(
    body: Buffer, width: int, wanted: Sequence[int], numbers: Set[int]
) -> Tuple[Optional[Any], Set[int]]:
    """The Arrow table, or the columns of numbers which hold what is none."""
    import pyarrow as pa

    try:
        return _parse(body, width, wanted, numbers), set()
    except pa.ArrowInvalid as error:
        found = _BAD_NUMBER.search(str(error))
        if found:
            return None, {int(found.group(1))}
        if "UTF8" in str(error) and numbers:
            return None, set(numbers)
        raise _malformed(str(error)) from error


def _parse(body: Buffer, width: int, wanted: Sequence[int], numbers: Set[int]) -> Any:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    positions = [str(i) for i in range(width)]
    text = pa.dictionary(pa.int32(), pa.string())
    return arrow_csv.read_csv(
        pa.BufferReader(pa.py_buffer(body)),
        read_options=arrow_csv.ReadOptions(
            column_names=positions,
            skip_rows_after_names=1,
            block_size=len(body) + 1 if len(body) < 2 * _BLOCK else _BLOCK,
        ),
        parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
        convert_options=arrow_csv.ConvertOptions(
            include_columns=[positions[i] for i in wanted],
            column_types={positions[i]: pa.float64() if i in numbers else text for i in wanted},
            strings_can_be_null=False,
        ),
    )


def _column(chunked: Any) -> Column:
    import pyarrow as pa

    if not pa.types.is_dictionary(chunked.type):
        return np.asarray(chunked.to_numpy())
    array = chunked.unify_dictionaries().combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # no rows, no chunk
        return Dictionary(np.empty(0, dtype=np.int32), ())
    return Dictionary(array.indices.to_numpy(), tuple(array.dictionary.to_pylist()))


def _has_infinite(column: Column) -> bool:
    """``inf`` is a number to pyarrow and a plain word to Java."""
    return isinstance(column, np.ndarray) and bool(np.isinf(column).any())

"""CSV as it stands: text cells, whose kinds somebody else decides, and one rule for bad tables.

Every language's model gets its rows from here when its own schema says what the columns are.
"""

from __future__ import annotations

import csv
import io
import re
from typing import Any, Dict, FrozenSet, Iterable, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from polyhost.data.payload import Buffer, Column, Dictionary, Table
from polyhost.errors import InvalidInput
from polyhost.formats import tables

MIMETYPES = ("", "text/csv", "text/plain")

_SMALL = 1 << 14
"""Bodies below it are read by the standard library, sooner than pyarrow has started."""
_BOM = b"\xef\xbb\xbf"
_SHOWN = 80
_FIELD_MAX = 1 << 30
_BLOCK = 1 << 22
_ODD_QUOTE = re.compile(rb'[^,\r\n]"[^,\r\n]')


def read(body: Buffer, numbers: FrozenSet[str] = frozenset()) -> Table:
    """The cells of a body, each column a Dictionary of texts that is ``untyped``.

    A column named in ``numbers`` may come as float64 where all its cells are plain numbers or
    empty. InvalidInput for a body that is not a table: rows longer or shorter than the header, a
    repeated name, no rows, text that is not UTF-8, a NUL byte.
    """
    data = _checked(body)
    if len(data) >= _SMALL:
        table = _read_fast(data, numbers)
        if table is not None:
            return table
    names, rows = _split(data)
    columns = [_dictionary(cells) for cells in zip(*rows)]
    if not columns:
        raise no_rows(names)
    return Table(names, columns)


def check(body: Buffer) -> None:
    """InvalidInput where :func:`read` would raise it; a large table is never held as a whole."""
    data = _checked(body)
    if len(data) < _SMALL or not _is_even(data):
        names, rows = _split(data)
        if not sum(1 for _ in rows):
            raise no_rows(names)


def check_text(data: bytes) -> None:
    """InvalidInput for a piece of a body that is not UTF-8 text, or has a NUL byte."""
    _decode(_checked(data))


def _checked(body: Buffer) -> bytes:
    data = bytes(body)
    if data.startswith(_BOM):
        data = data[len(_BOM) :]
    at = data.find(b"\0")
    if at >= 0:
        raise InvalidInput(
            f"the CSV body has a NUL byte at offset {at}: expected UTF-8 text. Is this UTF-16, or "
            "not text at all? Send UTF-8."
        )
    if not data.strip():
        raise InvalidInput(
            "the CSV body is empty: expected a header line and at least one row; found no lines."
        )
    return data


def _is_even(data: bytes) -> bool:
    """Whether pyarrow finds a table without fault; if not, it takes a closer look to say why."""
    try:
        from pyarrow import ArrowInvalid
    except ImportError:
        return False
    found = _header(data)
    if found is None:
        return False
    names, start = found
    try:
        with _open(data, start, len(names), frozenset()) as batches:
            return sum([int(batch.num_rows) for batch in batches]) > 0
    except ArrowInvalid:
        return False


def _split(data: bytes) -> Tuple[List[str], Iterator[List[str]]]:
    """Names, and rows as the standard library reads them; InvalidInput says what does not fit."""
    csv.field_size_limit(_FIELD_MAX)
    reader = csv.reader(io.StringIO(_decode(data), newline=""), strict=True)
    lines = _lines(reader, data)
    header = next((line for line in lines if line), [])
    tables.check_names(header)
    return header, _rows(header, lines)


def _rows(header: List[str], lines: Iterator[List[str]]) -> Iterator[List[str]]:
    number = 0
    for line in lines:
        if not line:
            if len(header) > 1:
                continue
            line = [""]
        number += 1
        if len(line) != len(header):
            raise _uneven(number, len(header), line)
        yield line


def _lines(reader: Any, data: bytes) -> Iterator[List[str]]:
    try:
        yield from reader
    except csv.Error as error:
        raise _malformed(f"{error} (line {reader.line_num})", data) from error


def _uneven(number: int, expected: int, line: Sequence[str]) -> InvalidInput:
    more = len(line) > expected
    hint = (
        "Quote cells that hold a comma, and end no row with a separator that the header lacks"
        if more
        else "Add the cells that are missing, empty where a value is not known"
    )
    return InvalidInput(
        f"row {number} has {len(line)} fields: expected {expected}, one for each name in the "
        f"header; the row starts {','.join(line)[:_SHOWN]!r}. {hint}.",
        row=number,
        expected=expected,
        found=len(line),
    )


def no_rows(names: Sequence[str]) -> InvalidInput:
    """The error for a table without rows."""
    shown = ", ".join(map(repr, names[:10])) + (", ..." if len(names) > 10 else "")
    hint = ""
    if len(names) == 1 and (";" in names[0] or "\t" in names[0]):
        hint = " The header holds semicolons or tabs: separate the columns by commas."
    return InvalidInput(
        f"the table has no rows: expected a header and at least one row; found the header alone "
        f"({shown}). Send rows after it, and keep the line ends (curl: --data-binary).{hint}"
    )


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _not_utf8(error) from error


def _not_utf8(error: UnicodeDecodeError) -> InvalidInput:
    return InvalidInput(
        f"Supplied CSV input file encoding must be UTF-8. Found: {error}. Send the data as UTF-8."
    )


def _malformed(reason: str, data: bytes) -> InvalidInput:
    start = data[:200].decode("utf-8", "replace")
    return InvalidInput(
        f"the body is not readable as CSV: {reason.strip()}. Expected a header line and rows of "
        f"as many fields, separated by commas; the data starts {start!r}.",
        reason=reason.strip(),
    )


def _dictionary(cells: Iterable[str]) -> Dictionary:
    positions: Dict[str, int] = {}
    codes = [positions.setdefault(cell, len(positions)) for cell in cells]
    return Dictionary(np.array(codes, np.int32), tuple(positions), untyped=True)


def _read_fast(data: bytes, numbers: FrozenSet[str]) -> Optional[Table]:
    """By pyarrow; None where the standard library had better read it, or say what is wrong."""
    try:
        from pyarrow import ArrowInvalid
    except ImportError:
        return None
    found = _header(data)
    if found is None:
        return None
    names, start = found
    plain = frozenset(i for i, name in enumerate(names) if name in numbers)
    try:
        try:
            table = _open(data, start, len(names), plain).read_all()
        except ArrowInvalid:
            if not plain:
                raise
            table = _open(data, start, len(names), frozenset()).read_all()
    except ArrowInvalid:
        return None
    return Table(names, [_column(column) for column in table.columns]) if table.num_rows else None


def _header(data: bytes) -> Optional[Tuple[List[str], int]]:
    """Names, and where the rows start; None where a body is not plain enough for pyarrow."""
    start = len(data) - len(data.lstrip(b"\r\n"))
    end = data.find(b"\n", start)
    line = data[start:end].rstrip(b"\r")
    if end < 0 or line.count(b'"') % 2 or b"\r" in line:
        return None
    try:
        names = next(csv.reader([line.decode("utf-8")], strict=True))
    except (csv.Error, UnicodeDecodeError):
        return None
    if len(set(names)) != len(names) or (b'"' in data and _has_odd_quotes(data)):
        return None
    return names, end + 1


def _open(data: bytes, start: int, width: int, doubles: FrozenSet[int]) -> Any:
    import pyarrow as pa
    from pyarrow import csv as pa_csv

    keys = [str(i) for i in range(width)]
    types = {key: pa.float64() if i in doubles else pa.string() for i, key in enumerate(keys)}
    return pa_csv.open_csv(
        pa.BufferReader(pa.py_buffer(data).slice(start)),
        pa_csv.ReadOptions(column_names=keys, use_threads=False, block_size=_BLOCK),
        pa_csv.ParseOptions(newlines_in_values=b'"' in data, ignore_empty_lines=width > 1),
        pa_csv.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=False),
    )


def _has_odd_quotes(data: bytes) -> bool:
    """A quote that neither opens nor closes a field, which readers take in different ways."""
    if data.count(b'"') % 2:
        return True
    rest = data.replace(b'""', b"")
    return _ODD_QUOTE.search(rest) is not None


def _column(chunked: Any) -> Column:
    import pyarrow as pa

    if pa.types.is_floating(chunked.type):
        if chunked.num_chunks == 1:  # no copy, unless a cell is missing
            return np.asarray(chunked.chunk(0).to_numpy(zero_copy_only=False))
        return np.asarray(chunked.to_numpy())
    encoded = chunked.dictionary_encode().unify_dictionaries().combine_chunks()
    array = encoded if not isinstance(encoded, pa.ChunkedArray) else encoded.chunk(0)
    codes = array.indices.to_numpy(zero_copy_only=False).astype(np.int32)
    return Dictionary(codes, tuple(array.dictionary.to_pylist()), untyped=True)

"""CSV as R's read.csv reads it.

Small bodies go to read.csv itself. Large ones are parsed by pyarrow, several times as fast, and
typed as read.csv types them; what pyarrow cannot read, or would read otherwise, goes to read.csv
after all. The two agree but for numbers that differ in the last bit (R's own parser rounds).
"""

from __future__ import annotations

import re
from typing import Any, FrozenSet, List, Optional

import numpy as np

from polyhost.bridges.r.engine import Engine, RObject
from polyhost.bridges.r.frames import build
from polyhost.bridges.r.parts import RColumn, whole, with_na
from polyhost.data.payload import Buffer
from polyhost.errors import InvalidInput

FAST_FROM = 1 << 14
"""Bodies of so many bytes are parsed by pyarrow."""

_BOM = b"\xef\xbb\xbf"

# A quote that neither opens nor closes a field (doubled ones taken out), or one after a backslash.
_ODD_QUOTE = re.compile(rb'[^,\n]"[^,\n]|\\"')


# Beside blanks or in hexadecimal, whole numbers and logicals are taken by pyarrow, not by read.csv.
_HEXADECIMAL = (b"0x", b"0X")
_BESIDE_BLANKS = tuple(
    pair
    for blank in (b" ", b"\t")
    for mark in (b",", b"\n", b'"')
    for pair in (blank + mark, mark + blank)
)

# A plus sign makes pyarrow read whole numbers as doubles.
_PLUS = re.compile(rb"(?:^|[,\n\"])\+[0-9]")


def read_csv(engine: Engine, body: Buffer) -> RObject:
    """The body as a data frame; InvalidInput for rows of unequal length and the like."""
    data = _clean(body)
    if len(data) >= FAST_FROM:
        frame = _read_fast(engine, data)
        if frame is not None:
            return frame
    frame = engine.call("read", "read_csv_text", decode(data))
    assert frame is not None
    return frame


def _clean(body: Buffer) -> bytes:
    """Without byte order mark and carriage returns (one that ends a line alone is a line end)."""
    data = bytes(body)
    if data.startswith(_BOM):
        data = data[len(_BOM) :]
    if b"\r" in data:
        data = data.replace(b"\r", b"") if b"\n" in data else data.replace(b"\r", b"\n")
    if b"\0" in data:
        raise InvalidInput(
            f"CSV data with a NUL byte at offset {data.index(0)}: expected UTF-8 text. "
            "Is this UTF-16, or no text at all?"
        )
    if not data.strip():
        raise InvalidInput(
            "the CSV data is empty: no lines available in input; expected a header line and rows."
        )
    return data


def decode(data: bytes) -> str:
    """UTF-8 text; InvalidInput with the place of what is none."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        found = data[error.start : error.start + 8]
        raise InvalidInput(
            f"supplied input encoding must be UTF-8: found {found!r} at offset {error.start}. "
            "Convert the file to UTF-8."
        ) from error


def _read_fast(engine: Engine, data: bytes) -> Optional[RObject]:
    """None when read.csv had better read this."""
    try:
        import pyarrow
    except ImportError:
        return None
    start = len(data) - len(data.lstrip(b"\n"))
    end = data.find(b"\n", start)
    header = data[start:end]
    if end < 0 or header.count(b'"') % 2 or _has_odd_quotes(data):
        return None
    held = engine.call("read", "header_names", decode(header))
    assert held is not None
    names = engine.api.to_strings(held.sexp)
    try:
        rows = pyarrow.py_buffer(data).slice(end + 1)
        table = _parse(rows, len(names), _suspects(data, end))
    except pyarrow.ArrowInvalid:
        return None
    if not table.num_rows:
        return None
    _decode_cells(table, data)
    return build(engine, names, [_part(column) for column in table.columns], table.num_rows)


def _has_odd_quotes(data: bytes) -> bool:
    quotes = data.count(b'"')
    if quotes % 2:
        return True
    return quotes > 0 and _ODD_QUOTE.search(data.replace(b'""', b"")) is not None


def _parse(data: Any, width: int, suspects: FrozenSet[str]) -> Any:
    """A column's type is pyarrow's where read.csv would find the same, else text, typed by R.

    Dates are text to read.csv; so is what may hide in columns of the types that are ``suspects``.
    """
    import pyarrow as pa
    from pyarrow import csv

    names = [str(i) for i in range(width)]

    def read(texts: List[str]) -> Any:
        return csv.read_csv(
            pa.BufferReader(data),
            csv.ReadOptions(column_names=names, block_size=min(data.size + 1, 2**31 - 1)),
            csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=width > 1),
            csv.ConvertOptions(
                include_columns=texts,
                column_types={name: pa.string() for name in texts},
                null_values=["NA", ""],
                strings_can_be_null=False,
                true_values=["T", "TRUE"],
                false_values=["F", "FALSE"],
            ),
        )

    table = read([])
    texts = [field.name for field in table.schema if _is_suspect(field.type, suspects)]
    if texts:
        again = read(texts)
        for name in texts:
            table = table.set_column(int(name), name, again.column(name))
    return table.combine_chunks()


def _suspects(data: bytes, start: int) -> FrozenSet[str]:
    """Types, by pyarrow's names, that read.csv may not find in columns where pyarrow does."""
    found: List[str] = []
    blanks = (b" " in data or b"\t" in data) and (
        any(pair in data for pair in _BESIDE_BLANKS) or data[-1:] in (b" ", b"\t")
    )
    if blanks or any(sign in data for sign in _HEXADECIMAL):
        found += ["int64", "bool"]
    if b"+" in data and _PLUS.search(data, start):
        found.append("double")
    return frozenset(found)


def _is_suspect(kind: Any, suspects: FrozenSet[str]) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_temporal(kind)) or str(kind) in suspects


def _decode_cells(table: Any, data: bytes) -> None:
    """pyarrow gives a column of bytes where text is not UTF-8."""
    import pyarrow as pa

    if any(pa.types.is_binary(column.type) for column in table.columns):
        decode(data)


def _part(column: Any) -> RColumn:
    import pyarrow as pa

    array = column.chunk(0) if column.num_chunks else pa.array([], column.type)
    kind = array.type
    if pa.types.is_string(kind):
        encoded = array.dictionary_encode()
        codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int32) + 1
        return RColumn("text", codes, encoded.dictionary.to_pylist(), typed=True)
    missing = None
    if array.null_count:
        missing = array.is_null().to_numpy(zero_copy_only=False)
    if pa.types.is_null(kind):
        return RColumn("logical", np.full(len(array), -(2**31), np.int32))
    if pa.types.is_boolean(kind):
        flags = array.fill_null(False).to_numpy(zero_copy_only=False).astype(np.int32)
        if missing is not None:
            flags[missing] = -(2**31)
        return RColumn("logical", flags)
    values = (array.fill_null(0) if missing is not None else array).to_numpy(zero_copy_only=False)
    if pa.types.is_integer(kind):
        return whole(values, missing)
    return RColumn(
        "double", with_na(values, np.zeros(len(array), bool) if missing is None else missing)
    )

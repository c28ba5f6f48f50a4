"""One table in every format that a client may send, for tests that compare their answers.

A column is given with the kind its model was trained with; a cell is None where it is missing.
"""

from __future__ import annotations

import csv
import datetime
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyarrow import parquet

ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"
JSON = "application/json"


@dataclass(frozen=True)
class Column:
    """``kind``: ``number``, ``integer``, ``boolean``, ``text``, ``category``, ``date``, ``time``."""

    name: str
    kind: str
    cells: Sequence[Any]


@dataclass(frozen=True)
class Body:
    """A request's body; ``format`` says which for a test's name."""

    format: str
    content_type: str
    data: bytes


def bodies(columns: Sequence[Column]) -> Iterator[Body]:
    """The same rows as CSV, as pandas' CSV, as JSON of two shapes, as two kinds of Arrow, and as
    Parquet."""
    yield Body("csv", "text/csv", as_csv(columns))
    yield Body("csv-quoted", "text/csv", as_csv(columns, csv.QUOTE_ALL))
    yield Body("csv-pandas", "text/csv", as_csv(columns, true="True", false="False"))
    names = [column.name for column in columns]
    rows = [[_plain(cell) for cell in row] for row in zip(*(c.cells for c in columns), strict=True)]
    split = {"dataframe_split": {"columns": names, "data": rows}}
    yield Body("json-split", JSON, json.dumps(split).encode())
    records = {"dataframe_records": [dict(zip(names, row, strict=True)) for row in rows]}
    yield Body("json-records", JSON, json.dumps(records).encode())
    yield Body("arrow", ARROW, as_arrow(columns, _ARROW))
    dictionaries = {**_ARROW, "category": pa.dictionary(pa.int32(), pa.string())}
    yield Body("arrow-dictionary", ARROW, as_arrow(columns, dictionaries))
    yield Body("parquet", PARQUET, as_parquet(columns, dictionaries))


_ARROW: Mapping[str, Any] = {
    "number": pa.float64(),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
    "text": pa.string(),
    "category": pa.string(),
    "date": pa.date32(),
    "time": pa.timestamp("us"),
}


def as_csv(
    columns: Sequence[Column],
    quoting: Any = csv.QUOTE_MINIMAL,
    true: str = "true",
    false: str = "false",
) -> bytes:
    """CSV whose missing cells are empty."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=quoting, lineterminator="\n")
    writer.writerow([column.name for column in columns])
    words = {True: true, False: false}
    for row in zip(*(column.cells for column in columns), strict=True):
        writer.writerow([words[cell] if type(cell) is bool else _text(cell) for cell in row])
    return out.getvalue().encode()


def as_arrow(columns: Sequence[Column], types: Mapping[str, Any]) -> bytes:
    """An Arrow stream with a type for each kind."""
    table = _table(columns, types)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def as_parquet(columns: Sequence[Column], types: Mapping[str, Any]) -> bytes:
    """A Parquet file with a type for each kind."""
    sink = pa.BufferOutputStream()
    parquet.write_table(_table(columns, types), sink)
    return bytes(sink.getvalue())


def _table(columns: Sequence[Column], types: Mapping[str, Any]) -> pa.Table:
    arrays = [_array(column, types[column.kind]) for column in columns]
    return pa.table(arrays, names=[column.name for column in columns])


def _array(column: Column, kind: Any) -> Any:
    if pa.types.is_dictionary(kind):
        texts = [None if cell is None else str(cell) for cell in column.cells]
        return pa.array(texts, pa.string()).dictionary_encode()
    if kind == pa.string():
        return pa.array([None if cell is None else str(cell) for cell in column.cells], kind)
    return pa.array(list(column.cells), kind)


def _text(cell: Any) -> str:
    return "" if cell is None else repr(cell) if isinstance(cell, float) else str(cell)


def _plain(cell: Any) -> Any:
    return str(cell) if isinstance(cell, (datetime.date, datetime.datetime)) else cell


def parts(columns: Sequence[Column]) -> Iterator[tuple[str, list[Column]]]:
    """The rows all together, the first alone, each column missing in all rows, and backwards."""
    yield "many", list(columns)
    yield "one", [Column(c.name, c.kind, c.cells[:1]) for c in columns]
    yield "backwards", [Column(c.name, c.kind, c.cells[::-1]) for c in columns]
    for missing in columns:
        yield (
            f"no {missing.name}",
            [
                Column(c.name, c.kind, [None] * len(c.cells) if c is missing else c.cells)
                for c in columns
            ],
        )

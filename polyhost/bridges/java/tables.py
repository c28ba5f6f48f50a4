"""Tables across the boundary, each as one block of bytes: the form of ``TableCodec.java``."""

from __future__ import annotations

import json
import struct
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np

from polyhost.bridges.java.jvm import java_bytes, java_class
from polyhost.data.payload import Column, Dictionary, Table

_NUMBER, _INTEGER, _BOOLEAN, _TEXT, _TIME = range(5)
_UNKNOWN = -1
_LARGEST_BLOCK = 2**31 - 9
_HEADER = struct.Struct("<ii")
_COLUMN = struct.Struct("<Bi")
_LENGTH = struct.Struct("<i")
Encoded = Tuple[int, List[bytes]]


def to_java(table: Table) -> Any:
    """The table as an ``io.polyhost.Table``."""
    return java_class("io.polyhost.TableCodec").decode(java_bytes(encode(table)))


def from_java(table: Any) -> Table:
    """An ``io.polyhost.Table`` as a neutral one."""
    return decode(bytes(memoryview(java_class("io.polyhost.TableCodec").encode(table))))


def encode(table: Table) -> bytes:
    """The block of bytes; ValueError when it would pass what Java holds in one array."""
    parts = [_HEADER.pack(table.rows, len(table.names))]
    for name, column in table:
        kind, cells = _cells(column)
        encoded = _utf8(name)
        parts += [_COLUMN.pack(kind, len(encoded)), encoded, *cells]
    size = sum(map(len, parts))
    if size > _LARGEST_BLOCK:
        raise ValueError(
            f"a table of {size} bytes does not fit in one Java array: expected at most "
            f"{_LARGEST_BLOCK}. Send fewer rows at a time."
        )
    return b"".join(parts)


def _cells(column: Column) -> Encoded:
    if isinstance(column, Dictionary):
        return _dictionary(column.values, column.codes)
    kind = column.dtype.kind
    if kind == "f" or (kind == "u" and len(column) and column.max() > np.iinfo(np.int64).max):
        return _NUMBER, [column.astype("<f8").tobytes()]
    if kind in "iu":
        return _INTEGER, [column.astype("<i8").tobytes()]
    if kind == "b":
        return _BOOLEAN, [column.astype(np.int8).tobytes()]
    if kind == "M":
        return _TIME, [column.astype("datetime64[ns]").astype("<i8").tobytes()]
    return _objects(column.tolist())


def _objects(values: List[Any]) -> Encoded:
    """Cells of one kind keep it; a mixture goes as text."""
    values = [None if _is_missing(value) else value for value in values]
    kinds = {type(value) for value in values} - {type(None)}
    if kinds == {bool}:
        codes = [_UNKNOWN if value is None else int(value) for value in values]
        return _BOOLEAN, [np.array(codes, dtype=np.int8).tobytes()]
    if kinds and kinds <= {int, float}:
        return _numbers(values, whole=kinds == {int} and None not in values)
    return _texts([_text(value) for value in values])


def _numbers(values: Sequence[Any], whole: bool) -> Encoded:
    if whole:
        try:
            return _INTEGER, [np.array(values, dtype="<i8").tobytes()]
        except OverflowError:  # beyond 64 bits a double is the nearest Java has
            return _numbers(values, whole=False)
    return _NUMBER, [np.array(values, dtype="<f8").tobytes()]


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)


def _text(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, (dict, list, bool)) else str(value)


def _texts(values: List[Any]) -> Encoded:
    positions: Dict[str, int] = {}
    codes = [
        _UNKNOWN if value is None else positions.setdefault(value, len(positions))
        for value in values
    ]
    return _dictionary(list(positions), np.array(codes, dtype=np.int32))


def _dictionary(values: Sequence[str], codes: np.ndarray) -> Encoded:
    encoded = [_utf8(value) for value in values]
    lengths = np.fromiter(map(len, encoded), dtype="<i4", count=len(encoded))
    return _TEXT, [
        _LENGTH.pack(len(encoded)),
        lengths.tobytes(),
        b"".join(encoded),
        codes.astype("<i4").tobytes(),
    ]


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")  # a lone surrogate is not text


def decode(block: bytes) -> Table:
    """The table of a block of bytes."""
    rows, width = _HEADER.unpack_from(block)
    position = _HEADER.size
    names: List[str] = []
    columns: List[Column] = []
    for _ in range(width):
        kind, length = _COLUMN.unpack_from(block, position)
        position += _COLUMN.size
        names.append(block[position : position + length].decode())
        column, position = _column(block, position + length, kind, rows)
        columns.append(column)
    return Table(names, columns)


def _column(block: bytes, position: int, kind: int, rows: int) -> Tuple[Column, int]:
    if kind == _TEXT:
        return _text_column(block, position, rows)
    dtype = {_NUMBER: "<f8", _BOOLEAN: "i1"}.get(kind, "<i8")
    values = np.frombuffer(block, dtype, rows, position).copy()
    end = position + values.nbytes
    if kind == _TIME:
        return values.view("datetime64[ns]"), end
    return (_truths(values) if kind == _BOOLEAN else values), end


def _truths(codes: np.ndarray) -> np.ndarray:
    if not (codes == _UNKNOWN).any():
        return codes.astype(bool)
    pool = np.array([False, True, None], dtype=object)  # -1 is the last
    return np.asarray(pool[codes])


def _text_column(block: bytes, position: int, rows: int) -> Tuple[Dictionary, int]:
    (count,) = _LENGTH.unpack_from(block, position)
    position += _LENGTH.size
    lengths = np.frombuffer(block, "<i4", count, position)
    position += lengths.nbytes
    values: List[str] = []
    for length in lengths.tolist():
        values.append(block[position : position + length].decode())
        position += length
    codes = np.frombuffer(block, "<i4", rows, position).astype(np.int32)
    return Dictionary(codes, tuple(values)), position + codes.nbytes

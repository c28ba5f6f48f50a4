"""Tables to the blocks of numbers that Julia reads its columns by, and back.

A block holds schema, rows, ownership and column count, then kind, data, offsets and mask of each
column, as addresses of memory that the caller keeps alive. Nothing is converted cell by cell that
numpy holds as numbers.
"""

from __future__ import annotations

import ctypes
import datetime
import json
import math
from typing import (
    Any,
    Callable,
    Dict,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
)

import numpy as np

from polyhost.bridges.julia.runtime import pack
from polyhost.data.column_info import (
    ANY,
    BOOLEAN,
    CATEGORY,
    DATE,
    INTEGER,
    TEXT,
    TIME,
    ColumnInfo,
)
from polyhost.data.payload import Column, Dictionary, Table
from polyhost.errors import SchemaMismatch

# Kinds as in runtimes/julia/src/columns.jl.
_NUMBERS = ("f8", "f4", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1")
_KINDS: Dict[np.dtype, int] = {np.dtype(name): i + 1 for i, name in enumerate(_NUMBERS)}
_DTYPES: Dict[int, np.dtype] = {kind: dtype for dtype, kind in _KINDS.items()}
_FLOAT, _INT, _BOOL, _DATE, _DATETIME, _TEXT, _POOL, _JSON = 1, 6, 11, 12, 13, 14, 15, 16
_LEVELS, _UNTYPED = 17, 18
_NO_KINDS: Mapping[str, str] = {}
_DTYPES[_DATE] = np.dtype("M8[D]")
_DTYPES[_DATETIME] = np.dtype("M8[ms]")


class Block(NamedTuple):
    """A table as Julia reads it; ``keep`` owns the memory that ``numbers`` points into."""

    numbers: np.ndarray
    keep: Tuple[Any, ...]


class _Part(NamedTuple):
    """One column: its kind and the arrays that hold it."""

    kind: int
    data: np.ndarray
    aux: Optional[np.ndarray] = None
    mask: Optional[np.ndarray] = None


def block_of(table: Table, schema: int, own: bool, kinds: Mapping[str, str] = _NO_KINDS) -> Block:
    """The table's block; with ``own`` Julia copies the numbers instead of looking at ours.

    ``kinds`` are those of the model's columns by name, where the table is typed by them.
    """
    matrix = table.matrix
    if matrix is not None and matrix.dtype in _KINDS:
        return _matrix_block(matrix, schema, own)
    parts = [_typed_part(name, column, kinds.get(name, ANY)) for name, column in table]
    numbers: List[int] = [schema, table.rows, int(own), len(parts)]
    for part in parts:
        numbers += (part.kind, _address(part.data), _address(part.aux), _address(part.mask))
    return Block(np.array(numbers, dtype=np.int64), tuple(parts))


def _matrix_block(matrix: np.ndarray, schema: int, own: bool) -> Block:
    rows, width = matrix.shape
    # One row lies as well in either order; more are laid column by column in one pass.
    held = np.ascontiguousarray(matrix) if rows == 1 else np.asfortranarray(matrix)
    numbers = np.zeros(4 + 4 * width, dtype=np.int64)
    numbers[:4] = (schema, rows, own, width)
    numbers[4::4] = _KINDS[matrix.dtype]
    start, step = _address(held), rows * held.itemsize
    numbers[5::4] = np.arange(start, start + width * step, step) if step else start
    return Block(numbers, (held,))


def _address(array: Optional[np.ndarray]) -> int:
    return 0 if array is None else int(array.__array_interface__["data"][0])


def _typed_part(name: str, column: Column, kind: str) -> _Part:
    """A column of a kind, also where that needs more than its cells say, since all are missing."""
    if isinstance(column, Dictionary):
        if kind == CATEGORY and column.factor:
            return _Part(_LEVELS, np.ascontiguousarray(column.codes, dtype=np.int32))
        return _part(name, column)
    if kind == INTEGER and column.dtype.kind == "f":
        missing = np.isnan(column)
        return _Part(_INT, np.where(missing, 0, column).astype(np.int64), None, missing)
    if kind in (TEXT, BOOLEAN) and column.dtype.kind == "O" and not any(_present(column)):
        missing = np.ones(len(column), dtype=np.bool_)
        if kind == BOOLEAN:
            return _Part(_BOOL, np.zeros(len(column), dtype=np.bool_), None, missing)
        return _text_part([""] * len(column), missing)
    return _part(name, column)


def _present(column: np.ndarray) -> Iterator[bool]:
    return (cell is not None for cell in column.tolist())


def example_of(columns: Sequence[ColumnInfo]) -> Table:
    """One row that every model of these columns takes."""
    return Table([column.name for column in columns], [_example(column) for column in columns])


def _example(info: ColumnInfo) -> Column:
    if info.kind == CATEGORY:
        return Dictionary(np.array([0 if info.levels else -1], np.int32), info.levels, factor=True)
    if info.kind == TEXT:
        return np.array(["a"], dtype=object)
    dtypes = {INTEGER: "i8", BOOLEAN: "?", DATE: "M8[D]", TIME: "M8[us]"}
    return np.zeros(1, dtype=dtypes.get(info.kind, "f8"))


def _part(name: str, column: Column) -> _Part:
    if isinstance(column, Dictionary):
        values = np.frombuffer(pack(column.values), dtype=np.uint8)
        texts = _UNTYPED if column.untyped else _POOL
        return _Part(texts, np.ascontiguousarray(column.codes, dtype=np.int32), values)
    kind = _KINDS.get(column.dtype)
    if kind is not None:
        return _Part(kind, np.ascontiguousarray(column))
    family = column.dtype.kind
    if family == "f":
        return _Part(_FLOAT, np.ascontiguousarray(column, dtype=np.float64))
    if family in "biu":  # of the other byte order
        return _part(name, column.astype(column.dtype.newbyteorder("=")))
    if family == "M":
        return _time_part(column)
    if family in "OUS":
        return _object_part(name, column.tolist())
    raise SchemaMismatch(
        f"column {name!r} is of type {column.dtype}, which Julia models cannot be given: expected "
        "numbers, text, booleans or dates. Send the column as one of these, such as text.",
        column=name,
    )


def _time_part(column: np.ndarray) -> _Part:
    days = column.dtype == _DTYPES[_DATE]
    kind = _DATE if days else _DATETIME
    return _Part(kind, np.ascontiguousarray(column.astype(_DTYPES[kind]).view(np.int64)))


def _object_part(name: str, cells: List[Any]) -> _Part:
    types = set(map(type, cells))
    missing = None
    if type(None) in types:
        missing = np.fromiter((cell is None for cell in cells), dtype=np.bool_, count=len(cells))
        types.discard(type(None))
    if not types:
        return _Part(_FLOAT, np.zeros(len(cells)), None, missing)
    if types == {str}:
        return _text_part(_filled(cells, ""), missing)
    if types <= {bool, np.bool_}:
        return _Part(_BOOL, np.array(_filled(cells, False), dtype=np.bool_), None, missing)
    if types <= {int, float}:
        return _number_part(cells, types, missing)
    if types <= {datetime.date} or types <= {datetime.datetime}:
        unit = "M8[D]" if types == {datetime.date} else "M8[ms]"
        return _time_part(np.array([_plain_time(name, cell) for cell in cells], dtype=unit))
    return _text_part(["" if cell is None else _spelled(cell) for cell in cells], missing)


def _filled(cells: List[Any], filling: Any) -> List[Any]:
    return [filling if cell is None else cell for cell in cells]


def _number_part(cells: List[Any], types: Any, missing: Optional[np.ndarray]) -> _Part:
    filled = _filled(cells, 0)
    if types == {int} and min(filled) >= -(2**63) and max(filled) < 2**63:
        return _Part(_INT, np.array(filled, dtype=np.int64), None, missing)
    if types == {int}:
        return _Part(_FLOAT, np.array([float(cell) for cell in filled]), None, missing)
    return _Part(_FLOAT, np.array(_filled(cells, math.nan), dtype=np.float64))


def _plain_time(name: str, cell: Any) -> Any:
    if getattr(cell, "tzinfo", None) is not None:
        raise SchemaMismatch(
            f"column {name!r} holds a time with a zone, {cell}: Julia's DateTime has none. Send "
            "the time as text, or without its zone.",
            column=name,
        )
    return cell


def _spelled(cell: Any) -> str:
    """A cell of a mixed column as a CSV file would spell it; a list or an object as JSON."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, (bool, np.bool_)):
        return "true" if cell else "false"
    if isinstance(cell, (list, dict)):
        return json.dumps(cell, ensure_ascii=False)
    return str(cell)


def _text_part(cells: Sequence[str], missing: Optional[np.ndarray]) -> _Part:
    joined = "".join(cells)
    offsets = np.zeros(len(cells) + 1, dtype=np.int64)
    if joined.isascii():
        raw = joined.encode("ascii")
        sizes: Any = map(len, cells)
    else:
        pieces = [cell.encode("utf-8", "replace") for cell in cells]
        raw = b"".join(pieces)
        sizes = map(len, pieces)
    np.cumsum(np.fromiter(sizes, dtype=np.int64, count=len(cells)), out=offsets[1:])
    return _Part(_TEXT, np.frombuffer(raw, dtype=np.uint8), offsets, missing)


def table_from(out: Sequence[int], names_of: Callable[[bytes], Tuple[str, ...]]) -> Table:
    """The table that a call's ``out`` describes, copied out of Julia's memory."""
    count, block, rows, names, size = out[:5]
    numbers = np.frombuffer(_bytes_at(block, 40 * count), dtype=np.int64).tolist()
    columns = [_column(rows, *numbers[5 * i : 5 * i + 5]) for i in range(count)]
    table = Table(names_of(ctypes.string_at(names, size)), columns)
    table.rows = rows
    return table


def _column(rows: int, kind: int, data: int, size: int, aux: int, mask: int) -> Column:
    raw = _bytes_at(data, size)
    if kind in (_TEXT, _JSON):
        cells = _texts(raw, np.frombuffer(_bytes_at(aux, 8 * (rows + 1)), dtype=np.int64).tolist())
        values = cells if kind == _TEXT else [json.loads(cell) if cell else None for cell in cells]
        return _objects(values, mask, rows)
    column = np.frombuffer(raw, dtype=_DTYPES[kind])
    return _objects(column.tolist(), mask, rows) if mask else column


def _bytes_at(address: int, size: int) -> bytearray:
    return bytearray(ctypes.string_at(address, size)) if size else bytearray()


def _texts(raw: bytearray, offsets: List[int]) -> List[str]:
    spans = zip(offsets, offsets[1:])
    if raw.isascii():
        text = raw.decode("ascii")
        return [text[start:stop] for start, stop in spans]
    return [raw[start:stop].decode("utf-8", "replace") for start, stop in spans]


def _objects(values: List[Any], mask: int, rows: int) -> np.ndarray:
    column = np.empty(rows, dtype=object)
    for i, value in enumerate(values):  # a slice assignment would unpack lists
        column[i] = value
    if mask:
        column[np.frombuffer(_bytes_at(mask, rows), dtype=np.bool_)] = None
    return column

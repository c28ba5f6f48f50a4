"""Rows in JSON, as tables: MLflow's bodies, lists of rows and JSON lines."""

from __future__ import annotations

from itertools import chain
from typing import Any, Callable, Dict, FrozenSet, List, Optional, Sequence, Tuple

import numpy as np

from polyhost.data.payload import Buffer, Table
from polyhost.errors import InvalidInput, TooManyRows
from polyhost.formats import json, tables

FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")

Rows = Tuple[Tuple[str, ...], List[List[Any]]]
"""Column names, and the cells row by row as JSON gave them."""
Naming = Callable[[int], Sequence[str]]
"""Names for rows of so many cells that came without."""


def counted(width: int) -> Sequence[str]:
    """``0``, ``1``, ..."""
    return [str(i) for i in range(width)]


def check_count(rows: Optional[int], limit: Optional[int]) -> None:
    """TooManyRows when a request has more than its model takes; None is not known, or no limit."""
    if rows is not None and limit is not None and rows > limit:
        raise TooManyRows(
            f"the request has {rows} rows: expected at most {limit}, which this model takes at "
            "once. Send fewer rows at a time.",
            expected=limit,
            found=rows,
        )


def decode(body: Buffer, limit: Optional[int] = None, naming: Naming = counted) -> Rows:
    """Names and rows of a body; InvalidInput says what does not fit."""
    return decode_value(json.loads(body), limit, naming)


def decode_value(value: Any, limit: Optional[int] = None, naming: Naming = counted) -> Rows:
    """The same of a body that was parsed already."""
    return _checked(_decode(value, naming), limit)


def decode_lines(body: Buffer, limit: Optional[int] = None, naming: Naming = counted) -> Rows:
    """The same of JSON lines: an object, a list of cells or a single cell on each."""
    lines = [line for line in bytes(body).split(b"\n") if line.strip()]
    check_count(len(lines), limit)
    value = []
    for number, line in enumerate(lines, start=1):
        try:
            value.append(json.loads(line))
        except InvalidInput as error:
            raise InvalidInput(f"line {number}: {error.message}", row=number) from None
    return _checked(_items(value, "a body of JSON lines", naming), limit)


def _checked(found: Rows, limit: Optional[int]) -> Rows:
    names, data = found
    check_count(len(data), limit)
    tables.check_names(names)
    if not data:
        raise tables.no_rows(names)
    return found


def _decode(value: Any, naming: Naming) -> Rows:
    if isinstance(value, list):
        if all(isinstance(record, dict) for record in value):
            return records(value)
        if all(isinstance(row, list) for row in value):
            return _items(value, "the list", naming)
    if not isinstance(value, dict):
        raise InvalidInput(
            "Invalid input. A JSON body must be an object, or a list with an object, or a list of "
            f"cells, for each row; found {_type(value)}. {_HINT}"
        )
    found = [form for form in FORMS if form in value]
    if len(found) != 1:
        raise InvalidInput(
            f"Invalid input. Expected exactly one of {', '.join(FORMS)}; found "
            f"{', '.join(found) or 'none'} (keys: {', '.join(map(repr, value)) or 'none'}). {_HINT}"
        )
    if found[0] == "dataframe_split":
        return split(value["dataframe_split"])
    if found[0] == "dataframe_records":
        return records(value["dataframe_records"])
    return _items(value[found[0]], f"{found[0]!r}", naming)


def _items(value: Any, what: str, naming: Naming) -> Rows:
    """Rows in one of these forms: objects, lists of cells, single cells; or an object of columns."""
    if isinstance(value, dict):
        return _columns(value, what)
    if not isinstance(value, list):
        raise InvalidInput(f"{what} must be a list with an item a row; found {_type(value)}.")
    kinds = set(map(type, value))
    if kinds == {dict} or not value:
        return records(value)
    if dict in kinds or (list in kinds and len(kinds) > 1):
        raise InvalidInput(
            f"{what} mixes {', '.join(sorted({_type(item) for item in value}))}: expected rows of "
            "one form, all objects, all lists of cells, or all single cells."
        )
    data = value if list in kinds else [[cell] for cell in value]
    names = tuple(naming(len(data[0])))
    _check_rows(data, len(names), what)
    return names, data


def _columns(value: Dict[str, Any], what: str) -> Rows:
    lengths = {name: len(cells) for name, cells in value.items() if isinstance(cells, list)}
    if len(lengths) < len(value) or len(set(lengths.values())) > 1:
        raise InvalidInput(
            f"{what} is an object whose values are no columns of one length: expected lists of as "
            f"many cells each; found {lengths or _type(next(iter(value.values()), None))}."
        )
    return tuple(value), [list(row) for row in zip(*value.values())]


_HINT = 'Send {"dataframe_split": {"columns": [...], "data": [[...], ...]}}.'


def split(value: Any) -> Rows:
    """Names and rows of what ``dataframe_split`` holds."""
    if not isinstance(value, dict):
        raise InvalidInput(f"dataframe_split must be an object; found {_type(value)}. {_HINT}")
    data = value.get("data")
    if not isinstance(data, list):
        raise InvalidInput(f"dataframe_split needs 'data', a list of rows. {_HINT}")
    unknown = value.keys() - {"data", "columns", "index"}
    if unknown:
        raise InvalidInput(
            f"dataframe_split takes data, columns and index; found {', '.join(sorted(unknown))}."
        )
    columns = value.get("columns")
    if columns is None:
        width = len(data[0]) if data and isinstance(data[0], list) else 0
        columns = range(width)
    elif not isinstance(columns, list):
        raise InvalidInput(f"dataframe_split 'columns' must be a list; found {_type(columns)}.")
    names = tuple(columns) if set(map(type, columns)) == {str} else tuple(map(str, columns))
    _check_rows(data, len(names))
    return names, data


def _check_rows(data: List[Any], width: int, what: str = "'data'") -> None:
    if len(data) > _FEW and set(map(type, data)) == {list} and set(map(len, data)) == {width}:
        return
    for i, row in enumerate(data):
        if type(row) is not list:
            raise InvalidInput(f"row {i} of {what} must be a list; found {_type(row)}.")
        if len(row) != width:
            raise InvalidInput(
                f"row {i} of {what} has {len(row)} value(s): expected {width}, one per column."
            )


def records(value: Any) -> Rows:
    """The same of a list with an object a row; a name that a row lacks is a missing cell."""
    if not isinstance(value, list):
        raise InvalidInput(f"dataframe_records must be a list of objects; found {_type(value)}.")
    names: Dict[str, None] = {}
    for i, record in enumerate(value):
        if type(record) is not dict:
            raise InvalidInput(f"dataframe_records must hold objects; row {i} is {_type(record)}.")
        if record.keys() != names.keys():
            names.update(dict.fromkeys(record))
    order = list(names)
    data = [
        list(record.values()) if list(record) == order else [record.get(name) for name in order]
        for record in value
    ]
    return tuple(order), data


def _type(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "text", bool: "a boolean", type(None): "null"}
    return kinds.get(type(value), "a number")


def matrix(rows: Sequence[List[Any]], width: int) -> np.ndarray:
    """The rows as one float64 matrix, null as NaN; ValueError or TypeError when another cell than
    a number is there."""
    if len(rows) < _FEW:
        found = np.array(rows)
        if found.dtype.kind in "biuf" and found.ndim == 2:
            return found.astype(np.float64, copy=False)
    try:
        sum(chain.from_iterable(rows))  # the quickest way to see that all of them are numbers
    except TypeError:
        if not set(map(type, chain.from_iterable(rows))) <= _NUMBERS:
            raise
    count = len(rows) * width
    return np.fromiter(chain.from_iterable(rows), np.float64, count).reshape(-1, width)


_FEW = 20
_NUMBERS = frozenset([int, float, bool, type(None)])


def table(
    names: Sequence[str],
    rows: Sequence[List[Any]],
    numeric: bool,
    raw: FrozenSet[str] = frozenset(),
) -> Table:
    """A table of the rows: one matrix where ``numeric`` allows it and all cells are numbers.

    Each row is as long as ``names``. Columns named in ``raw`` keep their cells as the client wrote them.
    """
    if numeric:
        try:
            return Table.from_matrix(names, matrix(rows, len(names)))
        except (TypeError, ValueError, OverflowError):
            pass  # a text cell: column by column, then
    cells: Sequence[Sequence[Any]] = list(zip(*rows)) or [()] * len(names)
    columns = [
        objects(values) if name in raw else column(values) for name, values in zip(names, cells)
    ]
    for name, found in zip(names, columns):
        if found.dtype.kind == "O":
            tables.check_texts(name, found.tolist())
    return Table(names, columns)


def column(values: Sequence[Any]) -> np.ndarray:
    """A column as pandas would type it: whole numbers, numbers, booleans, else objects."""
    kinds = set(map(type, values))
    missing = type(None) in kinds
    kinds.discard(type(None))
    try:
        if kinds == {int} and not missing:
            return np.array(values, dtype=np.int64)
        if kinds and kinds <= {int, float}:
            return np.array(values, dtype=np.float64)
    except OverflowError:
        pass  # a whole number past 64 bits stays exact, as an object
    if kinds == {bool} and not missing:
        return np.array(values, dtype=bool)
    return objects(values)


def objects(values: Sequence[Any]) -> np.ndarray:
    """An object column of these cells."""
    out = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):  # a slice would spread cells that are lists
        out[i] = value
    return out

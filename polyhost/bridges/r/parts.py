"""Columns as R stores them, made from neutral ones: plain arrays, no R needed."""

from __future__ import annotations

import datetime
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import numpy as np

from polyhost.bridges.r.api import NA_INTEGER, NA_REAL_BITS
from polyhost.data.payload import Column, Dictionary
from polyhost.errors import SchemaMismatch

_EPOCH = datetime.date(1970, 1, 1).toordinal()


class RColumn(NamedTuple):
    """A column ready to be copied into R.

    ``kind``: ``double`` (float64), ``integer`` and ``logical`` (int32), ``date`` (float64 days),
    ``datetime`` (float64 seconds), ``text`` and ``factor`` (int32 codes from 1 into ``cells``).
    ``typed``: text of a file, whose type R's own reader decides. ``ordered``: of a factor.
    """

    kind: str
    data: np.ndarray
    cells: Sequence[str] = ()
    typed: bool = False
    ordered: bool = False


def part(name: str, column: Column) -> RColumn:
    """A neutral column as R would have read it; SchemaMismatch for what R has no vector for."""
    if isinstance(column, Dictionary):
        codes = np.where(column.codes < 0, NA_INTEGER, column.codes + 1).astype(np.int32)
        if column.factor:
            return RColumn("factor", codes, column.values, ordered=column.ordered)
        return RColumn("text", codes, column.values, typed=column.untyped)
    kind = column.dtype.kind
    if kind == "f":
        return RColumn("double", with_na(column))
    if kind in "iu":
        return whole(column)
    if kind == "b":
        return RColumn("logical", column.astype(np.int32))
    if kind == "M":
        if np.datetime_data(column.dtype)[0] == "D":
            return RColumn("date", with_na(column.astype(np.int64).astype(float), np.isnat(column)))
        return RColumn("datetime", _seconds(column))
    if kind == "U":
        return text(column.tolist())
    if kind == "O":
        return _objects(name, column)
    raise SchemaMismatch(
        f"column {name!r} of type {column.dtype} cannot go to R: expected numbers, booleans, "
        "text or dates."
    )


def with_na(column: np.ndarray, missing: Optional[np.ndarray] = None) -> np.ndarray:
    """Doubles with R's NA where they are missing: where they are NaN, when nothing else says."""
    values = np.ascontiguousarray(column, np.float64)
    holes = np.isnan(values) if missing is None else missing
    if holes.any():
        values = values.copy()
        values.view(np.uint64)[holes] = NA_REAL_BITS
    return values


def whole(column: np.ndarray, missing: Optional[np.ndarray] = None) -> RColumn:
    """Whole numbers as integers where all of them fit, as doubles otherwise."""
    present = column if missing is None else column[~missing]
    if present.size and (present.min() <= NA_INTEGER or present.max() >= 2**31):
        return RColumn("double", with_na(column.astype(np.float64), missing))
    values = np.ascontiguousarray(column.astype(np.int32))
    if missing is not None:
        values[missing] = NA_INTEGER
    return RColumn("integer", values)


def text(values: Sequence[Optional[str]]) -> RColumn:
    """Text with None where it is missing."""
    cells: Dict[Optional[str], int] = {None: NA_INTEGER}
    codes = [cells.setdefault(value, len(cells)) for value in values]
    distinct = [cell for cell in cells if cell is not None]
    return RColumn("text", np.array(codes, np.int32), distinct)


def _seconds(column: np.ndarray) -> np.ndarray:
    seconds = column.astype("datetime64[us]").astype(np.int64) / 1e6
    return with_na(seconds, np.isnat(column))


def _objects(name: str, column: np.ndarray) -> RColumn:
    """A column of Python objects, by the types that are in it; NaN counts as missing."""
    values: List[Any] = [None if _missing(value) else value for value in column.tolist()]
    types = {type(value) for value in values if value is not None}
    holes = np.array([value is None for value in values], bool)
    if types <= {str}:
        return text(values) if types else _nothing(len(values))
    if types == {bool}:
        flags = [NA_INTEGER if value is None else int(value) for value in values]
        return RColumn("logical", np.array(flags, np.int32))
    if types == {int} and all(abs(value) < 2**63 for value in values if value is not None):
        return whole(np.array([0 if value is None else value for value in values]), holes)
    if types <= {int, float, bool}:
        return RColumn("double", with_na(np.array(values, np.float64), holes))
    if types == {datetime.date}:
        days = [0 if value is None else value.toordinal() - _EPOCH for value in values]
        return RColumn("date", with_na(np.array(days, np.float64), holes))
    if types <= {str, int, float, bool}:
        return text([value if value is None else _as_text(value) for value in values])
    found = ", ".join(sorted(kind.__name__ for kind in types))
    raise SchemaMismatch(
        f"column {name!r} cannot go to R: expected numbers, booleans or text in each cell; "
        f"found {found}."
    )


def _nothing(rows: int) -> RColumn:
    """All missing: a logical column, as read.csv makes it."""
    return RColumn("logical", np.full(rows, NA_INTEGER, np.int32))


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)


def _as_text(value: Any) -> str:
    """As R's as.character would write it."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return value if isinstance(value, str) else f"{value:.15g}"

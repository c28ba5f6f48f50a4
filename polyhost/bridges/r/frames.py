"""Tables to data frames and back, a memory copy a column."""

from __future__ import annotations

from typing import Any, Iterable, List, Optional, Sequence, Tuple

import numpy as np

from polyhost.bridges.r import api as r_api
from polyhost.bridges.r.api import NA_INTEGER, Api, Sexp
from polyhost.bridges.r.engine import Engine, RObject
from polyhost.bridges.r.parts import RColumn, part, with_na
from polyhost.data.payload import Column, Dictionary, SparseTable, Table

_FEW = 64
"""Up to so many text cells are made one by one; more are looked up in R by code."""

_JOINED = 64
"""From so many distinct texts on, they cross as one text that R splits."""

_SEPARATOR = "\x1f"

_FACTOR, _ORDERED = ("factor",), ("ordered", "factor")

_SPARSE = 3
"""Where ``columns_out`` has the number of rows of what is sparse; else it ends before."""


def to_frame(engine: Engine, table: Table) -> RObject:
    """A data frame (or a sparse matrix) with the table's columns."""
    if isinstance(table, SparseTable):
        row, column, values = table.coordinates
        arguments = (row + 1, column + 1, np.asarray(values, np.float64), list(table.names))
        held = engine.call("read", "sparse_rows", *arguments, table.rows)
        assert held is not None
        held.rows = table.rows
        return held
    if table.matrix is not None and table.matrix.dtype.kind == "f":
        columns = with_na(np.ascontiguousarray(table.matrix.T, np.float64))
        return build(engine, table.names, [RColumn("double", values) for values in columns])
    return build(engine, table.names, [part(name, column) for name, column in table], table.rows)


def build(
    engine: Engine, names: Sequence[str], parts: Sequence[RColumn], rows: Optional[int] = None
) -> RObject:
    """A data frame of these columns."""
    api = engine.api
    if rows is None:
        rows = len(parts[0].data) if parts else 0
    frame = api.protect(api.alloc(r_api.LIST, len(parts)))
    try:
        late: List[int] = []
        for i, column in enumerate(parts):
            if column.kind != "text":
                _put(api, frame, i, column)
            elif column.typed or rows > _FEW:
                late.append(i)
            else:
                api.put(frame, i, api.texts(_cells(column)))
        api.attribute(frame, api.NAMES, api.names(names))
        row_names = api.protect(api.integers(np.array([NA_INTEGER, -rows], np.int32)))
        api.attribute(frame, api.ROW_NAMES, row_names)
        api.unprotect(1)
        api.attribute(frame, api.CLASS, api.names(("data.frame",)))
        held = engine.hold(frame, rows)
    finally:
        api.unprotect(1)
    return _fill(engine, held, parts, late) if late else held


def _put(api: Api, frame: Sexp, i: int, column: RColumn) -> None:
    if column.kind == "integer":
        api.put(frame, i, api.integers(column.data))
    elif column.kind == "logical":
        api.put(frame, i, api.logicals(column.data))
    elif column.kind == "factor":
        api.put(frame, i, api.integers(column.data))
        vector = api.get(frame, i)
        api.attribute(vector, api.LEVELS, api.names(column.cells))
        api.attribute(vector, api.CLASS, api.names(_ORDERED if column.ordered else _FACTOR))
    else:
        api.put(frame, i, api.doubles(column.data))
        if column.kind == "date":
            api.attribute(api.get(frame, i), api.CLASS, api.names(("Date",)))
        elif column.kind == "datetime":
            vector = api.get(frame, i)
            api.attribute(vector, api.CLASS, api.names(("POSIXct", "POSIXt")))
            api.attribute(vector, api.TZONE, api.names(("UTC",)))


def _cells(column: RColumn) -> List[Optional[str]]:
    cells = column.cells
    return [None if code == NA_INTEGER else cells[code - 1] for code in column.data.tolist()]


def _fill(engine: Engine, frame: RObject, parts: Sequence[RColumn], late: Sequence[int]) -> RObject:
    filled = engine.call(
        "read",
        "fill_text",
        frame,
        np.array(late, np.int32) + 1,
        tuple(parts[i].data for i in late),
        tuple(_pool(parts[i].cells) for i in late),
        np.array([parts[i].typed for i in late], np.int32),
    )
    assert filled is not None
    filled.rows = frame.rows
    return filled


def _pool(cells: Sequence[str]) -> Any:
    """Distinct texts: a list of them, or a 1-tuple of all, joined, with a last one to drop."""
    if len(cells) < _JOINED or any(_SEPARATOR in cell for cell in cells):
        return list(cells)
    return (_SEPARATOR.join((*cells, ".")),)


def to_table(api: Api, columns_out: RObject) -> Table:
    """The table of what the R function ``columns_out`` made of a frame."""
    names = tuple(api.to_strings(api.get(columns_out.sexp, 0)))
    if api.length(columns_out.sexp) > _SPARSE:
        row, column, values = _elements(api, api.get(columns_out.sexp, 1))
        places = (api.to_integers(row), api.to_integers(column), api.to_doubles(values))
        return SparseTable(
            names, int(api.to_integers(api.get(columns_out.sexp, _SPARSE))[0]), places
        )
    row_names = api.get(columns_out.sexp, 2)
    columns = [_column(api, sexp) for sexp in _elements(api, api.get(columns_out.sexp, 1))]
    index = None if row_names == api.nil else api.to_texts(row_names)
    return Table(names, columns, index=index)


def scores(api: Api, predicted: RObject) -> Tuple[Tuple[str, ...], np.ndarray]:
    """Names and values, shape (rows, columns), of what ``predict_rows`` returned."""
    names = tuple(api.to_strings(api.get(predicted.sexp, 0)))
    columns = [api.to_doubles(sexp) for sexp in _elements(api, api.get(predicted.sexp, 1))]
    return names, np.array(columns).T


def _elements(api: Api, sexp: Sexp) -> Iterable[Sexp]:
    return (api.get(sexp, i) for i in range(api.length(sexp)))


def _column(api: Api, sexp: Sexp) -> Column:
    kind = api.kind(sexp)
    if kind == r_api.REAL:
        return api.to_doubles(sexp)
    if kind == r_api.INTEGER:
        whole = api.to_integers(sexp)
        return (
            np.where(whole == NA_INTEGER, np.nan, whole) if (whole == NA_INTEGER).any() else whole
        )
    if kind == r_api.LOGICAL:
        return _flags(api.to_logicals(sexp))
    codes = api.to_integers(api.get(sexp, 0))
    texts = tuple(api.to_strings(api.get(sexp, 1)))
    return Dictionary(np.where(codes == NA_INTEGER, -1, codes - 1).astype(np.int32), texts)


def _flags(values: np.ndarray) -> np.ndarray:
    holes = values == NA_INTEGER
    if not holes.any():
        return values.astype(bool)
    flags = values.astype(bool).astype(object)
    flags[holes] = None
    return flags

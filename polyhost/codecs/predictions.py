"""Structured answers in DRUM's shape: ``{"predictions": [...]}`` and the extra output."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence

import numpy as np

from polyhost.codecs import nonfinite
from polyhost.data.payload import Column, Dictionary, Scores, Table
from polyhost.data.target import PREDICTIONS, Target
from polyhost.errors import InvalidOutput
from polyhost.formats import json
from polyhost.pipeline.batching import split

MANY_ROWS = 20
"""Rows from which on writing column by column is faster."""


def encode(scores: Scores, target: Target) -> bytes:
    """The body of one answer."""
    body: Dict[str, Any] = {"predictions": listed(scores.predictions, target)}
    if scores.extra is not None:
        body["extraModelOutput"] = _split(scores.extra)
    return json.in_ascii(json.dumps(body))


def columns_of(scores: Scores, target: Target) -> Table:
    """The same as one table, extra output beside the predictions: for formats of columns."""
    found = scores.predictions
    if target.type.is_numeric:
        found = Table.from_matrix(found.names, doubles(found))
    return Scores(found, scores.extra).together()


def encode_parts(scores: Scores, target: Target, counts: Sequence[int]) -> List[bytes]:
    """The bodies of a batch whose requests brought ``counts`` rows each."""
    if scores.extra is not None:
        return [encode(part, target) for part in split(scores, counts)]
    if len(counts) == 1 and scores.predictions.rows >= MANY_ROWS:
        whole = _many(scores.predictions, target)
        if whole is not None:
            return [json.in_ascii(b'{"predictions":' + whole + b"}")]
    values = listed(scores.predictions, target)
    bodies = []
    start = 0
    for count in counts:
        bodies.append(json.in_ascii(json.dumps({"predictions": values[start : start + count]})))
        start += count
    return bodies


def _many(table: Table, target: Target) -> Optional[bytes]:
    """One object a row, written column by column; None where :func:`listed` has to do it."""
    names = table.names
    if not target.type.is_numeric or len(names) < 2 or len(set(names)) < len(names):
        return None
    return json.row_objects(names, _floats(table))


def listed(table: Table, target: Target) -> List[Any]:
    """One item a row: the value, or an object by column where there are several columns."""
    if not target.type.is_numeric:
        if len(table.names) == 1:
            return cells(table.columns[0])
        columns = [cells(column, name) for name, column in table]
        return [dict(zip(table.names, row)) for row in zip(*columns)]
    values = _floats(table)
    if len(table.names) == 1:
        return list(values.ravel().tolist())
    names = table.names
    return [dict(zip(names, row)) for row in values.tolist()]


def _floats(table: Table) -> np.ndarray:
    """The predictions as doubles; what is not finite is counted, for JSON can only say null."""
    values = doubles(table)
    if not np.isfinite(values).all():
        for i, name in enumerate(table.names):
            nonfinite.note(name, values[:, i])
    return values


def doubles(table: Table) -> np.ndarray:
    """The predictions as doubles, rows by columns; InvalidOutput when they are not numbers."""
    if table.matrix is not None:
        return table.matrix.astype(np.float64, copy=False)
    return np.column_stack([_float_column(name, column) for name, column in table])


def _float_column(name: str, column: Column) -> np.ndarray:
    values = column.to_objects() if isinstance(column, Dictionary) else column
    if values.dtype.kind in "mM":
        raise InvalidOutput(
            f"predictions must be numbers: column {name!r} holds dates or times. Return a number "
            "for each row.",
            found=str(values.dtype),
        )
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidOutput(
            f"predictions must be numbers: column {name!r} holds something else ({error}).",
            found=str(values.dtype),
        ) from error


def _split(table: Table) -> Dict[str, Any]:
    index = list(range(table.rows)) if table.index is None else list(table.index)
    columns = [cells(column, name) for name, column in table]
    return {"columns": list(table.names), "index": index, "data": list(zip(*columns))}


def cells(column: Column, name: str = PREDICTIONS) -> List[Any]:
    """The values of a column as JSON has them: numbers in full, dates as milliseconds."""
    if isinstance(column, Dictionary):
        return list(column.to_objects())
    if column.dtype.kind == "f":
        values = column.astype(np.float64, copy=False)
        if np.isinf(values).any():  # NaN is a missing value here
            nonfinite.note(name, values[~np.isnan(values)])
        return list(values.tolist())
    if column.dtype.kind == "M":
        missing = np.isnat(column)
        millis = column.astype("datetime64[ms]").astype(np.int64).tolist()
        return [None if gone else value for value, gone in zip(millis, missing.tolist())]
    return list(column.tolist())

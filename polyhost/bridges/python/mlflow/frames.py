"""Tables as the DataFrames that MLflow's models expect, and their answers as tables."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Sequence

import numpy as np

from polyhost.bridges.python import frames
from polyhost.data.payload import Column, Dictionary, SparseTable, Table
from polyhost.data.target import PREDICTIONS
from polyhost.errors import InvalidOutput


def as_frame(table: Table) -> Any:
    """A DataFrame of a table, its rows and columns named as the client named them."""
    pd = frames.pandas()
    if isinstance(table, SparseTable):
        return frames.from_table(table)
    if table.matrix is not None:
        frame = pd.DataFrame(table.matrix)
    else:
        columns: Dict[int, Any] = {
            i: c.to_objects() if isinstance(c, Dictionary) else c
            for i, c in enumerate(table.columns)
        }
        frame = pd.DataFrame(columns, index=pd.RangeIndex(table.rows))
    if table.labels is not None:
        frame.columns = _range_or(pd, table.labels)
    else:
        frame.columns = list(table.names)
    if table.index is not None:
        frame.index = list(table.index)
    return frame


def _range_or(pd: Any, labels: Sequence[Any]) -> Any:
    whole = range(len(labels))
    return pd.RangeIndex(len(labels)) if list(labels) == list(whole) else list(labels)


def as_table(value: Any) -> Table:
    """An answer as a table, for protocols that have no other; InvalidOutput when it is none."""
    if isinstance(value, Table):
        return value
    if frames.is_frame(value):
        return Table.from_pandas(value)
    if hasattr(value, "to_frame") and hasattr(value, "iloc"):
        name = getattr(value, "name", None)
        found = Table.from_pandas(value.to_frame())
        return found.renamed([PREDICTIONS if name is None else str(name)])
    if hasattr(value, "toarray"):
        value = value.toarray()
    if isinstance(value, Mapping):
        return _of_mapping(value)
    if isinstance(value, list) and value and all(isinstance(each, Mapping) for each in value):
        names = list(dict.fromkeys(str(key) for each in value for key in each))
        return Table(names, [_objects([each.get(name) for each in value]) for name in names])
    return _of_array(value)


def _of_mapping(value: Mapping[Any, Any]) -> Table:
    names: List[str] = []
    columns: List[Column] = []
    for name, part in value.items():
        table = _of_array(part)
        one = len(table.names) == 1
        names += [str(name)] if one else [f"{name}.{each}" for each in table.names]
        columns += table.columns
    try:
        return Table(names, columns)
    except ValueError as error:
        raise _no_table(value) from error


def _of_array(value: Any) -> Table:
    array = np.asarray(value) if not _is_ragged(value) else _objects(value)
    if array.ndim == 1:
        return Table([PREDICTIONS], [array])
    if array.ndim != 2:
        raise _no_table(value)
    names = [PREDICTIONS] if array.shape[1] == 1 else [str(i) for i in range(array.shape[1])]
    if array.dtype.kind == "f":
        return Table.from_matrix(names, array)
    return Table(names, list(array.T))


def _is_ragged(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and any(
        isinstance(each, (list, tuple, dict, str, bytes, type(None))) for each in value
    )


def _objects(values: Sequence[Any]) -> np.ndarray:
    out = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):
        out[i] = value
    return out


def _no_table(value: Any) -> InvalidOutput:
    shape = getattr(value, "shape", None)
    return InvalidOutput(
        f"the model answered a {type(value).__name__}{f' of shape {shape}' if shape else ''}, which "
        "is no table: use the /invocations endpoint, which takes any answer.",
        language="python",
        found=type(value).__name__,
    )

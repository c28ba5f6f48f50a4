"""A request's rows in the form that a scikit-learn estimator was fitted on."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence, Tuple

import numpy as np

from polyhost.bridges.python import frames
from polyhost.bridges.python.frameworks.expected import Expected, is_missing, plain
from polyhost.bridges.python.frameworks.sklearn_schema import ARRAY, COLUMN, RECORDS, Inputs
from polyhost.data.column_info import ANY, NUMBER, TEXT, ColumnInfo
from polyhost.data.payload import SparseTable, Table
from polyhost.errors import SchemaMismatch


def column_infos(inputs: Inputs) -> Tuple[ColumnInfo, ...]:
    """The neutral records of an estimator's columns; none where nobody knows them."""
    if inputs.columns is None:
        return ()
    names: Sequence[str] = inputs.names or [""] * len(inputs.columns)
    required = inputs.required or [True] * len(inputs.columns)
    return tuple(
        expected.info(name, needed)
        for expected, name, needed in zip(inputs.columns, names, required)
    )


def given(inputs: Inputs, data: Any) -> Any:
    """What the estimator's ``predict`` or ``transform`` takes, of a Table or a DataFrame.

    The columns of a table are the model's own, in its order and typed by its schema; a frame
    comes from a hook, whose author has seen to that.
    """
    if inputs.form == COLUMN:
        return _only_column(inputs, data)
    if inputs.form == RECORDS:
        return _records(inputs, data)
    if not isinstance(data, Table):
        return data
    if isinstance(data, SparseTable) or data.matrix is not None or inputs.columns is None:
        return data.matrix if _is_plain_array(inputs, data) else frames.from_table(data)
    cells = _cells(inputs, data)
    if inputs.form == ARRAY:
        return _stacked(cells, data.rows)
    pandas = frames.pandas()
    for i, expected in enumerate(inputs.columns):
        if expected.marker is None:  # as a column of texts, pandas would make NaN of it
            cells[i] = pandas.Series(cells[i], dtype=object)
    frame = pandas.DataFrame(dict(enumerate(cells)), index=range(data.rows))
    frame.columns = list(data.names)
    return frame


def _is_plain_array(inputs: Inputs, table: Table) -> bool:
    return inputs.form == ARRAY and table.matrix is not None


def _cells(inputs: Inputs, table: Table) -> List[Any]:
    known: Sequence[Expected] = inputs.columns or ()
    if len(known) != len(table.names):
        known = [Expected()] * len(table.names)
    return [expected.cells(column) for expected, column in zip(known, table.columns)]


def _stacked(cells: Sequence[Any], rows: int) -> np.ndarray:
    """Columns as one matrix; of objects where they are not all numbers."""
    if not cells:
        return np.empty((rows, 0))
    arrays = [np.asarray(each) for each in cells]
    if all(array.dtype.kind in "biuf" for array in arrays):
        return np.column_stack(arrays)
    matrix = np.empty((rows, len(arrays)), dtype=object)
    for i, array in enumerate(arrays):
        matrix[:, i] = array
    return matrix


def _only_column(inputs: Inputs, data: Any) -> Any:
    names = data.names if isinstance(data, Table) else list(data.columns)
    if len(names) != 1:
        raise SchemaMismatch(
            f"the model takes one column of text: found {len(names)}: "
            f"{', '.join(repr(name) for name in names)}. Send that column alone, under any name.",
            expected=1,
            found=list(map(str, names)),
        )
    if not isinstance(data, Table):
        return data.iloc[:, 0]
    return _cells(inputs, data)[0]


def _records(inputs: Inputs, data: Any) -> List[Dict[str, Any]]:
    """A dict for each row, without its missing cells: that is how a record lacks a key."""
    names = list(data.names if isinstance(data, Table) else data.columns)
    if isinstance(data, Table):
        columns = [list(map(plain, each)) for each in _cells(inputs, data)]
    else:
        columns = [data.iloc[:, i].tolist() for i in range(len(names))]
    return [
        {name: value for name, value in zip(names, row) if not is_missing(value)}
        for row in zip(*columns)
    ]


def all_numbers(inputs: Inputs) -> bool:
    """Whether every column is a number."""
    return inputs.columns is not None and all(each.kind == NUMBER for each in inputs.columns)


def knows_something(inputs: Inputs) -> bool:
    """Whether the model names its columns, or says what one of them is."""
    if inputs.columns is None:
        return False
    return inputs.names is not None or any(each.kind not in (ANY,) for each in inputs.columns)


__all__ = ["TEXT", "all_numbers", "column_infos", "given", "knows_something"]

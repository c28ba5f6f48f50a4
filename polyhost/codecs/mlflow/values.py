"""What ``inputs`` and ``instances`` hold: rows, columns, arrays or one value."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence

import numpy as np

from polyhost.codecs.mlflow.frame import Frame
from polyhost.data.signature import ARRAY, VECTOR, ColumnSpec, Signature
from polyhost.errors import InvalidInput, SchemaMismatch


def frame_of(columns: Sequence[ColumnSpec], value: Any) -> Frame:
    """The rows that a value stands for, where the model takes these columns."""
    if isinstance(value, Mapping):
        return _of_object(columns, value)
    if isinstance(value, list):
        if value and all(isinstance(row, dict) for row in value):
            return Frame.of_records(value)
        return _of_list(columns, value)
    return Frame.of_cells([columns[0].name or "0"], [[value]])


def _of_object(columns: Sequence[ColumnSpec], value: Mapping[str, Any]) -> Frame:
    kinds = {column.name: column.type.kind for column in columns}
    many = [
        name
        for name, item in value.items()
        if isinstance(item, list) and _holds_rows(kinds.get(name), item)
    ]
    if not many:
        return Frame.of_cells(list(value), [list(value.values())])
    lengths = {name: len(value[name]) for name in many}
    if len(many) < len(value) or len(set(lengths.values())) > 1:
        raise SchemaMismatch(
            "Invalid input. The columns must have the same number of values, one for each row; "
            f"found {lengths or 'none'} of {', '.join(value)}."
        )
    return Frame.of_columns(value)


def _holds_rows(kind: Optional[str], item: List[Any]) -> bool:
    """Whether a list is a column: it is one cell where the column's own cells are lists."""
    if kind not in (ARRAY, VECTOR):
        return True
    return bool(item) and all(isinstance(each, list) for each in item)


def _of_list(columns: Sequence[ColumnSpec], value: List[Any]) -> Frame:
    if columns[0].name is not None:
        if len(columns) > 1:
            names = [column.name for column in columns]
            raise SchemaMismatch(
                f"Model is missing inputs {names}: a list has no names of columns. Send an object "
                "with a list for each, or a list of objects.",
                missing=names,
            )
        return Frame.of_cells([str(columns[0].name)], [[_cell(columns[0], v)] for v in value])
    width = len(value[0]) if value and isinstance(value[0], list) else 1
    if len(columns) == 1 and columns[0].type.kind in (ARRAY, VECTOR):
        return Frame(("0",), [[each] for each in value], range(1))
    data = [each if isinstance(each, list) else [each] for each in value]
    if any(len(row) != width for row in data):
        raise InvalidInput("Invalid input. The rows of a list must be of one length.")
    return Frame(tuple(map(str, range(width))), data, range(width))


def _cell(column: ColumnSpec, value: Any) -> Any:
    """The cell of the only column: ``[1]`` is 1 unless its cells are lists."""
    alone = isinstance(value, list) and len(value) == 1
    return value[0] if alone and column.type.is_scalar else value


def check_instances(signature: Optional[Signature], value: Any) -> None:
    """InvalidInput where the columns of an object in ``instances`` differ in length."""
    if not isinstance(value, Mapping):
        return
    lists: Dict[str, str] = {}
    if signature is not None and signature.columns is not None:
        lists = {str(c.name): c.type.kind for c in signature.columns}
    lengths = {
        name: len(item) if isinstance(item, list) else 1
        for name, item in value.items()
        if lists.get(name) not in (ARRAY, VECTOR)
    }
    if len(set(lengths.values())) > 1:
        raise InvalidInput(
            "Invalid input. The length of values for each input/column name are not the same: "
            f"{lengths}."
        )


def columns_of_rows(value: Any) -> Any:
    """Rows with a name for each cell as a list by name; anything else as it is."""
    if not (isinstance(value, list) and value and all(isinstance(row, dict) for row in value)):
        return value
    names = list(value[0])
    if any(set(row) != set(names) for row in value):
        raise InvalidInput("Invalid input. The objects of a list must have the same keys.")
    return {name: [row[name] for row in value] for name in names}


def arrays(value: Any, columns: bool = False) -> Any:
    """A value as numpy's arrays, where nothing says what the model takes. ``columns``: objects of
    a list become a column for each key."""
    if isinstance(value, Mapping):
        return {name: _array(item) for name, item in value.items()}
    if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        if not columns:
            return value
        return {name: _array(item) for name, item in columns_of_rows(value).items()}
    return _array(value)


def _array(value: Any) -> np.ndarray:
    try:
        return np.array(value)
    except ValueError as error:
        raise InvalidInput(
            f"Invalid input. The lists make no array: {error}. Send lists of one length."
        ) from error

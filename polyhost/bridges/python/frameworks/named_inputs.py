"""Inputs of a graph, each a matrix of one type, filled from the columns of a table."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Optional, Sequence

import numpy as np

from polyhost.bridges.python.frameworks.columns import numbers
from polyhost.bridges.python.frameworks.expected import is_missing
from polyhost.data.cells import text_of
from polyhost.data.column_info import BOOLEAN, INTEGER, NUMBER, TEXT, ColumnInfo
from polyhost.data.payload import Column, Dictionary

_KINDS = {"f": NUMBER, "i": INTEGER, "u": INTEGER, "b": BOOLEAN}


class NamedInput:
    """One input. ``dtype`` is object where it takes texts; ``width`` None where any number of
    columns will do."""

    def __init__(self, name: str, dtype: Any, width: Optional[int]) -> None:
        self.name = name
        self.dtype = np.dtype(dtype)
        self.width = width
        self.kind = _KINDS.get(self.dtype.kind, TEXT)
        several = width is not None and width > 1
        self.columns = [f"{name}.{i}" for i in range(width or 1)] if several else [name]
        """Names of its columns, where there are other inputs; as tensors are spelled in a table."""

    def infos(self, by_name: bool) -> List[ColumnInfo]:
        """The neutral records of its columns; none where their number is not known."""
        missing = "allowed" if self.kind in (NUMBER, TEXT) else "error"
        names = self.columns if by_name else [""] * (self.width or 0)
        return [ColumnInfo(name, self.kind, missing=missing) for name in names]

    def matrix(self, columns: Sequence[Column], names: Sequence[str]) -> np.ndarray:
        """Columns as the input takes them; missing text is empty."""
        cells = [self._cells(column, name) for column, name in zip(columns, names)]
        return np.column_stack(cells)

    def _cells(self, column: Column, name: str) -> np.ndarray:
        if self.kind != TEXT:
            return numbers(column, self.dtype, name)
        values = column.to_objects() if isinstance(column, Dictionary) else column
        texts = ["" if is_missing(value) else text_of(value) for value in values.tolist()]
        return np.array(texts, np.object_)


def column_names(inputs: Sequence[NamedInput]) -> List[str]:
    """The columns of several inputs, in order."""
    return [name for each in inputs for name in each.columns]


def column_infos(inputs: Sequence[NamedInput]) -> List[ColumnInfo]:
    """The records of the columns: by name where there are several inputs, else by position."""
    by_name = len(inputs) > 1
    return [info for each in inputs for info in each.infos(by_name)]


def feeds(
    inputs: Sequence[NamedInput], columns: Sequence[Column], names: Sequence[str]
) -> Dict[str, np.ndarray]:
    """The matrix of each input by its name, from columns in the order of the inputs."""
    if len(inputs) == 1:
        return {inputs[0].name: inputs[0].matrix(columns, names)}
    left: Iterator[Column] = iter(columns)
    return {
        each.name: each.matrix([next(left) for _ in each.columns], each.columns) for each in inputs
    }

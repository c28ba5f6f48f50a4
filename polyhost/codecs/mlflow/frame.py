"""Rows of a JSON body, before they are a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, List, Mapping, Optional, Sequence, Tuple

from polyhost.errors import InvalidInput
from polyhost.formats import rows, tables


@dataclass(frozen=True)
class Frame:
    """Column names and cells, row by row. ``labels``: the names as they were given, where not all
    of them are text; ``index``: the names of the rows."""

    names: Tuple[str, ...]
    rows: List[List[Any]]
    labels: Optional[Sequence[Any]] = None
    index: Optional[Sequence[Any]] = None

    @classmethod
    def of_split(cls, value: Any) -> Frame:
        """The frame of ``{"columns": [...], "index": [...], "data": [[...], ...]}``."""
        names, data = rows.split(value)
        given = value.get("columns")
        index = value.get("index")
        if index is not None and (not isinstance(index, list) or len(index) != len(data)):
            raise InvalidInput(
                f"dataframe_split 'index' must be a list of {len(data)} names, one for each row."
            )
        if index == list(range(len(data))):
            index = None
        labels: Optional[Sequence[Any]] = None
        if given is None:
            labels = range(len(names))
        elif tuple(given) != names:
            labels = given
        return cls(tables.checked_names(names), data, labels, index)

    @classmethod
    def of_records(cls, value: Any) -> Frame:
        """The frame of a list with an object a row."""
        names, data = rows.records(value)
        return cls(tables.checked_names(names), data)

    @classmethod
    def of_cells(cls, names: Sequence[str], data: List[List[Any]]) -> Frame:
        """The frame of these cells."""
        return cls(tables.checked_names(tuple(names)), data)

    @classmethod
    def of_columns(cls, columns: Mapping[str, Sequence[Any]]) -> Frame:
        """The frame of columns of equal length."""
        return cls(
            tables.checked_names(tuple(columns)), [list(row) for row in zip(*columns.values())]
        )

    def check(self) -> None:
        """InvalidInput for a frame without rows."""
        if not self.rows:
            raise tables.no_rows(self.names)

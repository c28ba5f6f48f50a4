"""The columns that a model takes, found among those of a request."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from polyhost.bridges.python import frames
from polyhost.data.payload import Dictionary, Table
from polyhost.errors import SchemaMismatch
from polyhost.pipeline.spelling import RULES

_KEPT_ORDERS = 100


class Columns:
    """By name in any order when the model knows its names, by position otherwise.

    ``width`` is how many there are; None when nobody knows. ``spelling`` is how the model's
    library spells a name that it was given (``GuestInfo.spelling``).
    """

    def __init__(
        self,
        names: Optional[Sequence[str]] = None,
        width: Optional[int] = None,
        spelling: str = "",
    ) -> None:
        self.names: Optional[Tuple[str, ...]] = None if names is None else tuple(names)
        self.width = width if self.names is None else len(self.names)
        self.spelling = spelling
        self._orders: Dict[Tuple[str, ...], Optional[List[int]]] = {}

    def order(self, names: Tuple[str, ...]) -> Optional[List[int]]:
        """Positions of the model's columns among ``names``; None when they are just those."""
        try:
            return self._orders[names]
        except KeyError:
            order = self._find_order(names)
        if len(self._orders) > _KEPT_ORDERS:  # callers who send ever new columns
            self._orders.clear()
        self._orders[names] = order
        return order

    def matrix(self, data: Any, dtype: Any = np.float64) -> np.ndarray:
        """A DataFrame or Table as one matrix, shape (rows, width), in the model's order."""
        names = _names(data)
        order = self.order(names)
        if isinstance(data, Table) and data.matrix is not None:
            matrix = data.matrix if order is None else data.matrix[:, order]
            return narrowed(matrix, dtype, names if order is None else [names[i] for i in order])
        positions = range(len(names)) if order is None else order
        if isinstance(data, Table):
            columns: List[Any] = [data.columns[i] for i in positions]
        else:
            columns = [data.iloc[:, i].to_numpy() for i in positions]
        return _stack([names[i] for i in positions], columns, len(data), dtype)

    def has_others(self, data: Any) -> bool:
        """Whether a DataFrame or Table has columns that the model does not know."""
        count = len(data.names if isinstance(data, Table) else data.columns)
        return self.names is not None and count > len(self.names)

    def frame(self, data: Any, others: bool = False) -> Any:
        """A DataFrame of the model's columns in its order, where all of them came; what came
        otherwise: the model itself says whether it can do without. With ``others``, the columns
        that it does not know follow."""
        frame = frames.from_table(data) if isinstance(data, Table) else data
        if self.names is None:
            return frame
        try:
            order = self.order(_names(frame))
        except SchemaMismatch:
            return frame
        if order is not None and others:
            order = [*order, *(i for i in range(len(frame.columns)) if i not in order)]
        return frame if order is None else frame.iloc[:, order]

    def _find_order(self, names: Tuple[str, ...]) -> Optional[List[int]]:
        if self.names is None:
            if self.width is not None and len(names) != self.width:
                raise SchemaMismatch(
                    f"the model takes {self.width} column(s) by position: found {len(names)}: "
                    f"{_listed(names)}. Send those that it was trained with, in their order.",
                    expected=self.width,
                    found=list(names),
                )
            return None
        if names == self.names:
            return None
        spelled = [*map(RULES[self.spelling], names)]
        missing = [name for name in self.names if name not in spelled]
        if missing:
            raise SchemaMismatch(
                f"column(s) {_listed(missing)} are missing: the model expects "
                f"{_listed(self.names)}; found {_listed(names)}. Send them all, in any order.",
                missing=missing,
                expected=list(self.names),
                found=list(names),
            )
        order = [spelled.index(name) for name in self.names]
        return None if order == list(range(len(names))) else order


def _stack(names: Sequence[str], columns: Sequence[Any], rows: int, dtype: Any) -> np.ndarray:
    matrix = np.empty((rows, len(columns)), dtype)
    for i, column in enumerate(columns):
        matrix[:, i] = numbers(column, dtype, names[i])
    return matrix


def numbers(column: Any, dtype: Any, name: str) -> np.ndarray:
    """A column as numbers of a type; SchemaMismatch where a cell is none, or the type cannot hold
    it."""
    values = column.to_objects() if isinstance(column, Dictionary) else np.asarray(column)
    if values.dtype.kind not in "biuf":
        try:
            values = np.asarray(values, np.float64)
        except (TypeError, ValueError, OverflowError) as error:
            raise SchemaMismatch(
                f"column {name!r} must hold numbers: {error}. Send a number in every row, or "
                "nothing where it is not known.",
                column=name,
            ) from error
    return narrowed(values.reshape(-1, 1), dtype, [name])[:, 0]


def narrowed(matrix: np.ndarray, dtype: Any, names: Sequence[str]) -> np.ndarray:
    """A matrix of numbers in another type; SchemaMismatch for a cell that the type cannot hold."""
    if matrix.dtype == dtype:
        return matrix
    with np.errstate(over="ignore", invalid="ignore"):
        found = matrix.astype(dtype)
    if found.dtype.kind != "f":
        lost = found != matrix
    elif np.isfinite(found).all():
        return found
    else:
        lost = np.isinf(found) & np.isfinite(matrix)
    if lost.any():
        row, place = (int(at[0]) for at in np.nonzero(lost))
        value = matrix[row, place].item()
        raise SchemaMismatch(
            f"column {names[place]!r}, row {row + 1}: found {value!r} where the model expects a "
            f"number of type {found.dtype}, which cannot hold it. Send such a number"
            f"{' in every row' if value != value else ''}.",
            column=names[place],
            row=row + 1,
            found=repr(value),
            expected=str(found.dtype),
        )
    return found


def _names(data: Any) -> Tuple[str, ...]:
    return data.names if isinstance(data, Table) else tuple(map(str, data.columns))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names) or "none"

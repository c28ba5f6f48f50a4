"""A table held against a signature's columns: which of them came, and what their cells are."""

from __future__ import annotations

import logging
from typing import Dict, FrozenSet, List, Optional, Sequence, Set, Tuple

import numpy as np

from polyhost.data.payload import SparseTable, Table
from polyhost.data.signature import DTYPES, FLOATS, WHOLE, ColumnSpec
from polyhost.errors import SchemaMismatch
from polyhost.pipeline.signature.cast import cast, whole

logger = logging.getLogger(__name__)

_KEPT_ORDERS = 100
_INTEGERS = 2**31


class SignatureSchema:
    """The columns of a signature; applied as :class:`~polyhost.pipeline.apply_schema.Schema` is.

    A column that is not required and did not come stays absent. ``apply`` may be called from
    several threads.
    """

    has_unknown_kinds = False

    def __init__(self, columns: Sequence[ColumnSpec]) -> None:
        self.columns = tuple(columns)
        self.by_position = all(column.name is None for column in columns)
        self.names = tuple(column.name or "" for column in columns)
        kinds = [column.type.kind for column in columns]
        self.numeric = all(kind == "double" for kind in kinds)
        """All columns are doubles: whoever reads a table may make one matrix of it."""
        self.numbers: FrozenSet[str] = frozenset(
            c.name for c in columns if c.name is not None and c.type.kind in FLOATS
        )
        """Names of columns of floating point numbers, which a reader may type at once."""
        self._numbers = all(kind in (*FLOATS, *WHOLE) for kind in kinds)
        self._whole = [i for i, kind in enumerate(kinds) if kind in WHOLE]
        self._single = [i for i, kind in enumerate(kinds) if kind == "float"]
        self._orders: Dict[Tuple[str, ...], Optional[List[int]]] = {}
        self._dropped: Set[str] = set()

    def apply(self, table: Table) -> Table:
        """The signature's columns in its order, each of its type; SchemaMismatch names what does
        not fit."""
        if isinstance(table, SparseTable):
            return table
        order = self._order(table.names)
        if table.matrix is not None and self._numbers and (order is None or -1 not in order):
            return self._matrix(table, order)
        places = range(len(self.columns)) if order is None else order
        names, columns = [], []
        for spec, at in zip(self.columns, places):
            if at >= 0:
                name = table.names[at] if spec.name is None else spec.name
                names.append(name)
                columns.append(cast(spec, name, table.columns[at]))
        return _like(Table(names, columns), table)

    def _matrix(self, table: Table, order: Optional[List[int]]) -> Table:
        """Numbers that came as one matrix, which stays one; checked where a type is narrower."""
        matrix = table.matrix
        assert matrix is not None
        names: Sequence[str] = table.names
        if order is not None:
            matrix, names = matrix[:, order], [table.names[i] for i in order]
        if not self.numeric:
            matrix = self._narrowed(matrix, names)
        return table if matrix is table.matrix else _like(Table.from_matrix(names, matrix), table)

    def _narrowed(self, matrix: np.ndarray, names: Sequence[str]) -> np.ndarray:
        if self._whole:
            part = matrix[:, self._whole]
            if not (np.floor(part) == part).all() or np.abs(part).max(initial=0) >= _INTEGERS:
                for i in self._whole:  # one of them does not fit, or may not
                    whole(self.columns[i].type.kind, names[i], matrix[:, i])
        if self._single:
            part = matrix[:, self._single]
            with np.errstate(over="ignore"):
                narrow = part.astype(np.float32)
            if (np.isinf(narrow) & np.isfinite(part)).any():
                for i in self._single:
                    cast(self.columns[i], names[i], matrix[:, i])
            matrix = matrix.astype(np.float64, copy=True)
            matrix[:, self._single] = narrow
        return matrix

    # Which column is where

    def _order(self, names: Tuple[str, ...]) -> Optional[List[int]]:
        """Positions of the signature's columns, -1 for one that is absent; None for just those."""
        try:
            return self._orders[names]
        except KeyError:
            order = self._find(names)
        if len(self._orders) > _KEPT_ORDERS:
            self._orders.clear()
        self._orders[names] = order
        return order

    def _find(self, names: Tuple[str, ...]) -> Optional[List[int]]:
        if self.by_position:
            return self._by_position(names)
        if names == self.names:
            return None
        places: Dict[str, int] = {}
        for i, name in enumerate(names):
            places.setdefault(name, i)
        order = [places.get(name, -1) for name in self.names]
        extra = [name for name in names if name not in self.names]
        missing = [c.name for c, at in zip(self.columns, order) if at < 0 and c.required]
        if missing:
            raise SchemaMismatch(
                f"Model is missing inputs {missing}."
                + (f" Note that there were extra inputs: {extra}." if extra else "")
                + f" The model expects {_listed(self.names)}; found {_listed(names)}.",
                missing=missing,
                expected=list(self.names),
                found=list(names),
            )
        self._note_dropped(extra)
        return order

    def _by_position(self, names: Tuple[str, ...]) -> Optional[List[int]]:
        wanted = len(self.columns)
        if len(names) < wanted:
            raise SchemaMismatch(
                f"Model inference is missing inputs. The model signature declares {wanted} inputs "
                f"but the provided value only has {len(names)} inputs: {_listed(names)}.",
                expected=wanted,
                found=list(names),
            )
        return None if len(names) == wanted else list(range(wanted))

    def _note_dropped(self, names: Sequence[str]) -> None:
        new = [name for name in names if name not in self._dropped]
        if new and len(self._dropped) < 1000:
            self._dropped.update(new)
            logger.warning("column(s) that the signature does not name are ignored: %s", new[:20])


def check_strict(columns: Sequence[ColumnSpec], table: Table) -> None:
    """SchemaMismatch where a column that came with a type of its own has another than is declared,
    and the types do not convert without loss."""
    by_name = dict(reversed(list(table)))
    for place, spec in enumerate(columns):
        name = spec.name if spec.name is not None else _at(table.names, place)
        column = by_name.get(name or "")
        wanted = DTYPES.get(spec.type.kind)
        if isinstance(column, np.ndarray) and not _fits(column, spec.type.kind, wanted):
            hint = (
                " Integer columns with missing values come as floating point numbers: declare the "
                "column as double."
                if column.dtype.kind == "f" and spec.type.kind in WHOLE
                else ""
            )
            raise SchemaMismatch(
                f"Incompatible input types for column {name}. Can not safely convert "
                f"{column.dtype} to {wanted or 'str'}.{hint}",
                column=name,
                expected=spec.type.kind,
                found=str(column.dtype),
            )


def _fits(column: np.ndarray, kind: str, wanted: Optional[np.dtype]) -> bool:
    """Whether MLflow's rules let a column of one type stand for another."""
    given = column.dtype
    if wanted is None or given.kind == "O":
        return given.kind == "O" or kind not in ("string", "binary")
    if wanted.kind == "M" or given.kind == "M":
        return wanted.kind == given.kind
    if given == wanted:
        return True
    if given.kind == "u" and wanted.kind == "i":
        return given.itemsize < wanted.itemsize
    if given.kind == wanted.kind and given.itemsize <= wanted.itemsize:
        return True
    if wanted == np.float64 and given.kind in "iu":
        return given.itemsize <= 4 or set(np.unique(column).tolist()) <= {0, 1}
    return False


def _at(names: Sequence[str], place: int) -> Optional[str]:
    return names[place] if place < len(names) else None


def _like(table: Table, source: Table) -> Table:
    """The table with the rows and the labels of the one that it was made from."""
    table.rows = source.rows
    table.index = source.index
    if source.labels is not None and len(source.labels) == len(table.names):
        table.labels = source.labels
    return table


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:50]) or "none"
    return shown + (f" and {len(names) - 50} more" if len(names) > 50 else "")

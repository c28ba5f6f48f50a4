"""A model's own schema applied to a request's rows: what a column is, whatever format it came in.

Once for all languages, between parsing and the guest (docs/formats.md has the rules). A cell
means what its column's kind says; the other rows of the body never change it.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any, Callable, Dict, FrozenSet, List, Mapping, Optional, Sequence, Set, Tuple

import numpy as np

from polyhost.data import cells, h2o_times
from polyhost.data.column_info import (
    ANY,
    BOOLEAN,
    CATEGORY,
    DATE,
    ERROR,
    INTEGER,
    LIST,
    MISSING,
    NUMBER,
    OWN,
    TEXT,
    TIME,
    WARN,
    ColumnInfo,
)
from polyhost.data.payload import Column, Dictionary, SparseTable, Table
from polyhost.errors import SchemaMismatch
from polyhost.pipeline import spelling
from polyhost.pipeline.levels import Levels
from polyhost.predictor import GuestInfo

logger = logging.getLogger(__name__)

_SHOWN = 40
_KEPT_ORDERS = 100

Noted = Callable[[str, str, int], None]
"""Called with a column's name, a level that the model does not know, and how many cells hold it."""


class Schema:
    """The columns of one model. ``apply`` may be called from several threads."""

    def __init__(
        self,
        columns: Sequence[ColumnInfo],
        *,
        rule: str = "",
        unknown_levels: Optional[str] = None,
        target: Optional[str] = None,
        noted: Optional[Noted] = None,
    ) -> None:
        self.columns = tuple(columns)
        self.by_position = all(not column.name for column in columns)
        self.names = tuple(column.name for column in columns)
        self.numeric = all(column.kind == NUMBER for column in columns)
        """All columns are numbers: a table may stay one matrix."""
        self.numbers: FrozenSet[str] = frozenset(
            column.name for column in columns if column.kind == NUMBER
        )
        """Names of the number columns, which a reader may type at once."""
        self._spell = spelling.RULES[rule]
        self._target = target
        self._orders: Dict[Tuple[str, ...], Optional[List[int]]] = {}
        self._levels = [
            Levels(column, unknown_levels, noted) if column.kind == CATEGORY else None
            for column in columns
        ]
        self._dropped: Set[str] = set()

    @property
    def has_unknown_kinds(self) -> bool:
        """Whether the model does not say what some column is."""
        return any(column.kind == ANY for column in self.columns)

    def apply(self, table: Table) -> Table:
        """The model's columns in its order, each typed as its kind says; SchemaMismatch names row,
        column and value of what does not fit."""
        if isinstance(table, SparseTable):
            return table
        order = self._order(table.names)
        if table.matrix is not None and self.numeric:
            if order is None:
                return table
            if -1 not in order:
                return Table.from_matrix(self._out_names(table), table.matrix[:, order])
        columns = []
        for place, info in enumerate(self.columns):
            at = place if order is None else order[place]
            name = info.name or table.names[at]
            if at < 0:
                columns.append(_absent(info, table.rows, self._levels[place]))
            else:
                columns.append(self._typed(place, info, name, table.columns[at]))
        found = Table(self._out_names(table), columns)
        found.rows = table.rows
        return found

    def _out_names(self, table: Table) -> Sequence[str]:
        return table.names if self.by_position else self.names

    def _typed(self, place: int, info: ColumnInfo, name: str, column: Column) -> Column:
        levels = self._levels[place]
        if levels is not None:
            found: Column = levels.codes(name, column)
        else:
            found = (_BY_READER.get((info.reader, info.kind)) or _CONVERT[info.kind])(name, column)
        if info.missing == ERROR:
            _refuse_missing(name, found)
        return found

    # Which column is where

    def _order(self, names: Tuple[str, ...]) -> Optional[List[int]]:
        """Positions of the model's columns, -1 for one that is absent; None when just those came."""
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
            if len(names) != len(self.columns):
                raise SchemaMismatch(
                    f"the model takes {len(self.columns)} column(s) by position: found "
                    f"{len(names)}: {_listed(names)}. Send those that it was trained with, in "
                    "their order.",
                    expected=len(self.columns),
                    found=list(names),
                )
            return None
        if names == self.names:
            return None
        self._refuse_repeated(names)
        places = {name: i for i, name in reversed(list(enumerate(map(self._spell, names))))}
        places.update({name: i for i, name in reversed(list(enumerate(names)))})
        order = [places.get(name, -1) for name in self.names]
        absent = [c.name for c, at in zip(self.columns, order) if at < 0 and c.required]
        if absent:
            raise SchemaMismatch(
                f"column(s) {_listed(absent)} are missing: the model expects "
                f"{_listed(self.names)}; found {_listed(names)}. {_hint(names)}",
                missing=absent,
                expected=list(self.names),
                found=list(names),
            )
        optional = [c.name for c, at in zip(self.columns, order) if at < 0 and not c.required]
        if optional:
            logger.warning(
                "column(s) %s, which the model reads, are absent. They count as missing values.",
                _listed(optional),
            )
        self._note_dropped([name for i, name in enumerate(names) if i not in set(order)])
        return None if order == list(range(len(names))) else order

    def _refuse_repeated(self, names: Tuple[str, ...]) -> None:
        repeated = [name for name, count in Counter(names).items() if count > 1]
        wanted = [name for name in repeated if name in self.names]
        if wanted:
            raise SchemaMismatch(
                f"column(s) {_listed(wanted)} came more than once: expected each once. Remove or "
                "rename the others.",
                found=list(names),
            )

    def _note_dropped(self, names: Sequence[str]) -> None:
        new = [name for name in names if name not in self._dropped]
        if not new:
            return
        if len(self._dropped) < _KEPT_ORDERS * 10:
            self._dropped.update(new)
        logger.warning(
            "column(s) that the model does not know are ignored: %s",
            ", ".join(map(self._described, new[:20])),
        )

    def _described(self, name: str) -> str:
        if name == self._target:
            return f"{name!r} (the target)"
        if name in ("", "index", "level_0", "__index_level_0__") or name.startswith("Unnamed: "):
            return f"{name!r} (an index column)"
        return repr(name)


def _hint(names: Sequence[str]) -> str:
    """What to do where columns are missing."""
    found = [mark for mark in (";", "\t", "|") if len(names) == 1 and mark in names[0]]
    if not found:
        return "Send them all, in any order."
    return (
        f"The header is one column that holds {found[0]!r}: separate the fields by commas "
        "(polyhost score: --delimiter)."
    )


def raw_names(info: GuestInfo, names: Sequence[str]) -> FrozenSet[str]:
    """Those of ``names`` whose cells must come as the client wrote them."""
    kept = {column.name for column in info.columns if column.kind not in (NUMBER, ANY)}
    if not kept:
        return frozenset()
    if "" in kept:  # known by position
        places = zip(names, info.columns)
        return frozenset(name for name, c in places if c.kind not in (NUMBER, ANY))
    spell = spelling.RULES[info.spelling]
    return frozenset(name for name in names if name in kept or spell(name) in kept)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:50]) or "none"
    return shown + (f" and {len(names) - 50} more" if len(names) > 50 else "")


# Columns by kind


def _absent(info: ColumnInfo, rows: int, levels: Optional[Levels]) -> Column:
    if levels is not None:
        return levels.missing(rows)
    if info.kind in (NUMBER, INTEGER):
        return np.full(rows, np.nan)
    if info.kind in (DATE, TIME):
        return np.full(rows, np.datetime64("NaT"), "M8[us]" if info.kind == TIME else "M8[D]")
    return np.full(rows, None, dtype=object)


def _refuse_missing(name: str, column: Column) -> None:
    if isinstance(column, Dictionary):
        holes = column.codes < 0
    elif column.dtype.kind in "fM":
        holes = np.isnan(column) if column.dtype.kind == "f" else np.isnat(column)
    elif column.dtype.kind == "O":
        holes = np.array([value is None for value in column.tolist()], bool)
    else:
        return
    if holes.any():
        row = int(np.argmax(holes)) + 1
        raise SchemaMismatch(
            f"column {name!r}, row {row}: the value is missing, and the model needs one in every "
            "row. Send a value, or fill it before.",
            column=name,
            row=row,
        )


def _converted(name: str, column: Column, convert: Callable[[str], Any], kind: str) -> np.ndarray:
    """An object array of a column's values, each distinct text read once; None is missing."""
    if isinstance(column, Dictionary):
        pool = np.empty(len(column.values) + 1, dtype=object)
        used = np.zeros(len(column.values) + 1, bool)
        used[column.codes] = True
        for i, text in enumerate(column.values):
            if used[i]:
                try:
                    pool[i] = convert(text)
                except ValueError as error:
                    row = int(np.argmax(column.codes == i)) + 1
                    raise misfit(name, row, text, kind, error) from None
        return np.asarray(pool[column.codes])
    out = np.empty(len(column), dtype=object)
    known: Dict[Any, Any] = {}
    for i, value in enumerate(cells.values_of(column)):
        if value is None or value != value:
            continue
        try:
            if isinstance(value, (list, dict)):
                raise ValueError(f"expected one value, not {_structure(value)}")
            key = (type(value), value)
            if key not in known:
                known[key] = convert(cells.text_of(value))
            out[i] = known[key]
        except ValueError as error:
            raise misfit(name, i + 1, value, kind, error) from None
    return out


def _structure(value: Any) -> str:
    return "a list" if isinstance(value, list) else "an object"


def misfit(name: str, row: int, value: Any, kind: str, reason: object) -> SchemaMismatch:
    """The error for a value that its column cannot hold."""
    shown = repr(value)
    if len(shown) > _SHOWN:
        shown = shown[:_SHOWN] + "..."
    expected = f"{_A[kind]}: {reason}"
    if str(reason).startswith(f"expected {_A[kind]}"):  # the same, and perhaps more
        expected = str(reason)[len("expected ") :]
    return SchemaMismatch(
        f"column {name!r}, row {row}: found {shown} where the model expects {expected}. "
        "Send such a value, or nothing where it is not known.",
        column=name,
        row=row,
        found=shown,
        expected=kind,
    )


_A: Mapping[str, str] = {
    NUMBER: "a number",
    INTEGER: "a whole number",
    BOOLEAN: "true or false",
    TEXT: "text",
    CATEGORY: "a category",
    DATE: "a date",
    TIME: "a time",
    LIST: "a list",
}


def _number(name: str, column: Column) -> Column:
    if not isinstance(column, Dictionary) and column.dtype.kind in "biuf":
        return column if column.dtype == np.float64 else column.astype(np.float64)
    if not isinstance(column, Dictionary) and column.dtype.kind == "O":
        kinds = set(map(type, column.tolist()))
        if kinds <= {int, float, type(None)}:
            try:
                return column.astype(np.float64)
            except OverflowError:
                pass  # a whole number that no double can hold: named below
    values = _converted(name, column, cells.number, NUMBER)
    return values.astype(np.float64)


def _integer(name: str, column: Column) -> Column:
    if not isinstance(column, Dictionary) and column.dtype.kind in "bi":
        return column.astype(np.int64)
    values = _converted(name, column, cells.integer, INTEGER)
    holes = np.array([value is None for value in values.tolist()], bool)
    return values.astype(np.float64) if holes.any() else values.astype(np.int64)


def _boolean(name: str, column: Column) -> Column:
    if not isinstance(column, Dictionary) and column.dtype.kind == "b":
        return column
    values = _converted(name, column, cells.boolean, BOOLEAN)
    holes = np.array([value is None for value in values.tolist()], bool)
    return values if holes.any() else values.astype(bool)


def _text(name: str, column: Column) -> Column:
    return _converted(name, column, _checked_text, TEXT)


def _checked_text(text: str) -> Optional[str]:
    if not text:
        return None
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise ValueError("it holds half of a surrogate pair, which is not text") from None
    return text


def _date(name: str, column: Column) -> Column:
    if not isinstance(column, Dictionary) and column.dtype.kind == "M":
        days = column.astype("M8[D]")
        late = ~np.isnat(column) & (days != column)
        if late.any():
            row = int(np.argmax(late))
            reason = "expected a date without a time of day"
            raise misfit(name, row + 1, str(column[row]), DATE, reason)
        return days
    return _converted(name, column, cells.date, DATE).astype("M8[D]")


def _time(
    name: str, column: Column, read: Callable[[str], Optional[np.datetime64]] = cells.time
) -> Column:
    if not isinstance(column, Dictionary) and column.dtype.kind == "M":
        return column.astype("M8[us]")
    return _converted(name, column, read, TIME).astype("M8[us]")


def _h2o_time(name: str, column: Column) -> Column:
    return _time(name, column, h2o_times.time)


def _as_it_came(name: str, column: Column) -> Column:
    return column


_CONVERT: Mapping[str, Callable[[str, Column], Column]] = {
    NUMBER: _number,
    INTEGER: _integer,
    BOOLEAN: _boolean,
    TEXT: _text,
    DATE: _date,
    TIME: _time,
    LIST: _as_it_came,
    ANY: _as_it_came,
}
_BY_READER: Mapping[Tuple[str, str], Callable[[str, Column], Column]] = {("h2o", TIME): _h2o_time}

__all__ = ["ERROR", "MISSING", "OWN", "WARN", "Noted", "Schema", "misfit"]

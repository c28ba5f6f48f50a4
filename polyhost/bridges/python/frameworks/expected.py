"""What a model expects of one column, in its library's own types; and cells of a table as those."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, List, Optional, Sequence, Tuple

import numpy as np

from polyhost.data import cells
from polyhost.data.column_info import ANY, CATEGORY, ERROR, NUMBER, TEXT, TIME, ColumnInfo
from polyhost.data.payload import Column, Dictionary
from polyhost.formats import csv

_NUMBERS = "biuf"


@dataclass(frozen=True)
class Expected:
    """One column as the model wants it.

    ``values`` are a category's levels in the types that the library holds them in. ``marker`` is
    what stands for a missing cell. ``pandas_category``: the library wants a pandas column of that
    type, whose levels are ``values``. ``hint``: an imputer said it, which knows less than an
    encoder that comes after it.
    """

    kind: str = ANY
    values: Tuple[Any, ...] = ()
    unknown: str = ERROR
    missing: str = "allowed"
    ordered: bool = False
    marker: Any = np.nan
    pandas_category: bool = False
    hint: bool = False

    def info(self, name: str, required: bool = True) -> ColumnInfo:
        """The neutral record of this column."""
        return ColumnInfo(
            name,
            self.kind,
            required,
            tuple(map(text_of_level, self.values)),
            self.ordered,
            self.unknown,
            self.missing,
        )

    def cells(self, column: Column) -> Any:
        """A column that was typed by this record's own kind, as the library takes it."""
        if isinstance(column, Dictionary):
            if column.untyped:
                return _with_marker(csv.typed(column), np.nan)
            if column.factor and self.kind == CATEGORY:
                return self._category(column)
            column = column.to_objects()
        if column.dtype.kind == "O":
            return _with_marker(column, self.marker)
        return column

    def _category(self, column: Dictionary) -> Any:
        known = len(self.values)
        if self.pandas_category:
            import pandas as pd

            codes = np.where(column.codes < known, column.codes, -1)
            kind = pd.CategoricalDtype(list(self.values), ordered=self.ordered)
            return pd.Categorical.from_codes(codes, dtype=kind)
        others = [self._own(text) for text in column.values[known:]]
        return _taken([*self.values, *others], column.codes, self.marker)

    def _own(self, text: str) -> Any:
        """A text outside the levels, in the levels' type where it can be."""
        if all(isinstance(value, (int, float, np.number)) for value in self.values):
            try:
                return cells.number(text)
            except ValueError:
                return text
        return text


def of_levels(values: Sequence[Any], **rest: Any) -> Expected:
    """A category with these levels; missing ones among them say that a cell may be missing."""
    levels = [plain(value) for value in values]
    present = tuple(value for value in levels if not is_missing(value))
    holes = [value for value in levels if is_missing(value)]
    if not all(isinstance(value, (str, bool, int, float)) for value in present):
        kind = np.asarray(values).dtype.kind
        return Expected(TIME if kind == "M" else ANY)
    found = Expected(CATEGORY, present, **rest)
    return replace(found, marker=holes[0], missing="allowed") if holes else found


def merged(first: Optional[Expected], second: Optional[Expected]) -> Expected:
    """What two parts of a model expect of one column that both of them see."""
    if first is None or second is None:
        return first or second or Expected()
    if first.hint or first.kind == ANY:
        return _after(first, second)
    if second.hint or second.kind == ANY:
        return _after(second, first)
    if first.kind == second.kind and first.values == second.values:
        return first if first.unknown == ERROR else second
    if _is_numeric(first) and _is_numeric(second):
        return Expected(NUMBER, missing=_stricter(first, second))
    if _is_text(first) and _is_text(second):
        return Expected(TEXT, missing=_stricter(first, second), marker=first.marker)
    return Expected()


def _after(hint: Expected, found: Expected) -> Expected:
    """What ``found`` expects of a column that an imputer with ``hint`` saw before it."""
    if found.kind == ANY:
        return hint
    if hint.kind == ANY and not hint.hint:
        return found
    values = found.values
    if isinstance(hint.marker, str) and found.kind == CATEGORY and hint.marker not in values:
        values = (*values, hint.marker)  # a text that the imputer takes as missing, such as "?"
    return replace(found, values=values, marker=hint.marker, missing="allowed")


def _stricter(first: Expected, second: Expected) -> str:
    return ERROR if ERROR in (first.missing, second.missing) else "allowed"


def _is_numeric(found: Expected) -> bool:
    return found.kind == NUMBER or (found.kind == CATEGORY and not _is_text(found))


def _is_text(found: Expected) -> bool:
    if found.kind == CATEGORY:
        return all(isinstance(value, str) for value in found.values)
    return found.kind == TEXT


def plain(value: Any) -> Any:
    """A numpy value as Python's own."""
    return value.item() if isinstance(value, np.generic) else value


def is_missing(value: Any) -> bool:
    """Whether a value stands for a missing cell: None, NaN, NaT or pandas.NA."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and value != value


def text_of_level(value: Any) -> str:
    """The shortest text of a level: ``1`` for a number, ``True`` for a boolean."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e16:
        return str(int(value))
    return str(value)


def _taken(pool: List[Any], codes: np.ndarray, marker: Any) -> np.ndarray:
    """The values of ``pool`` by code; ``marker`` where the code is -1."""
    kinds = {type(value) for value in pool}
    holes = bool((codes < 0).any())
    if kinds <= {int, float} and not (holes and marker == marker):
        values = np.array([*pool, np.nan] if holes else pool)
    elif kinds <= {bool} and not holes:
        values = np.array(pool, bool)
    else:
        values = objects([*pool, marker])
    return np.asarray(values[codes])


def objects(values: Sequence[Any]) -> np.ndarray:
    """An object array of these values."""
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def _with_marker(values: np.ndarray, marker: Any) -> np.ndarray:
    if values.dtype.kind != "O":
        return values
    holes = [i for i, value in enumerate(values.tolist()) if value is None]
    if not holes or marker is None:
        return values
    values = values.copy()
    values[holes] = marker
    return values

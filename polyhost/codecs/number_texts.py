"""Numbers that callers send as text, for protocols whose clients know no other cells."""

from __future__ import annotations

from typing import Any, FrozenSet

from polyhost.data.column_info import INTEGER, NUMBER
from polyhost.formats.rows import Rows
from polyhost.predictor import Predictor


def as_numbers(found: Rows, predictor: Predictor) -> Rows:
    """The rows with text that is a number as one, in the columns that the model knows as numbers."""
    names, data = found
    known = _numbers(predictor)
    places = frozenset(i for i, name in enumerate(names) if name in known)
    if not any(type(row[i]) is str for row in data for i in places):
        return found
    return names, [
        [_as_number(cell) if i in places else cell for i, cell in enumerate(row)] for row in data
    ]


def _numbers(predictor: Predictor) -> FrozenSet[str]:
    info = predictor.info
    if not info.typed:
        return frozenset()
    return frozenset(
        column.name for column in info.guest.columns if column.kind in (NUMBER, INTEGER)
    )


def _as_number(cell: Any) -> Any:
    if not isinstance(cell, str) or "_" in cell:  # Python reads 1_000 as a number
        return cell
    for kind in (int, float):
        try:
            return kind(cell)
        except ValueError:
            continue
    return cell

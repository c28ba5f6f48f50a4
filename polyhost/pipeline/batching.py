"""Several requests' rows in one call; when it fails they run singly, and only the cause fails."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, TypeVar, Union

import numpy as np

from polyhost.data.payload import Column, Dictionary, Scores, SparseTable, Table

A = TypeVar("A")
B = TypeVar("B")
Outcome = Union[Scores, Exception]
Predict = Callable[[Table], Scores]


def attempt(work: Callable[[A], B], item: A) -> Union[B, Exception]:
    """What ``work`` returned for one member of a batch, or the exception that it raised."""
    try:
        return work(item)
    except Exception as error:
        return error


def packs(members: Sequence[A], counts: Sequence[int], most: Optional[int]) -> List[List[A]]:
    """Members, in order, in calls of no more than ``most`` rows; larger ones are called alone."""
    if most is None:
        return [list(members)] if members else []
    found: List[List[A]] = []
    room = 0
    for member, count in zip(members, counts):
        if count > room or not found:
            found.append([])
            room = most
        found[-1].append(member)
        room -= count
    return found


def predict_tables(predict: Predict, tables: Sequence[Table]) -> List[Outcome]:
    """Outcomes in order; tables with the same columns and types go through one call."""
    outcomes: Dict[int, Outcome] = {}
    for members in _groups(tables):
        parts = [tables[i] for i in members]
        done = predict_parts(predict, lambda parts=parts: concatenate(parts), parts)  # type: ignore[misc]
        outcomes.update(zip(members, done))
    return [outcomes[i] for i in range(len(tables))]


def predict_parts(
    predict: Predict, whole: Callable[[], Table], parts: Sequence[Table]
) -> List[Outcome]:
    """Outcomes of ``parts``, from one call over ``whole()``, which holds their rows in order."""
    if len(parts) == 1:
        return [attempt(predict, parts[0])]
    counts = [part.rows for part in parts]
    try:
        scores = predict(whole())
    except Exception:
        return [attempt(predict, part) for part in parts]
    if scores.predictions.rows != sum(counts):
        return [attempt(predict, part) for part in parts]
    return [*split(scores, counts)]


def split(scores: Scores, counts: Sequence[int]) -> List[Scores]:
    """The scores of each request, whose rows are ``counts``."""
    parts: List[Scores] = []
    start = 0
    for count in counts:
        parts.append(scores.slice(start, start + count))
        start += count
    return parts


def _groups(tables: Sequence[Table]) -> List[List[int]]:
    groups: Dict[Tuple[Any, ...], List[int]] = {}
    for i, table in enumerate(tables):
        groups.setdefault(_shape(table, i), []).append(i)
    return list(groups.values())


def _shape(table: Table, position: int) -> Tuple[Any, ...]:
    """What two tables must share to be one: columns, and what their cells are."""
    if table.index is not None or isinstance(table, SparseTable) or not table.rows:
        return (position,)
    if table.matrix is not None:
        return (table.names, table.matrix.dtype)
    return (table.names, tuple(_kind(column) for column in table.columns))


def _kind(column: Column) -> Any:
    if isinstance(column, Dictionary):
        return ("text", column.factor and column.values, column.untyped)
    return column.dtype


def concatenate(tables: Sequence[Table]) -> Table:
    """The rows of tables of one shape, one after another."""
    first = tables[0]
    if all(table.matrix is not None for table in tables):
        return Table.from_matrix(first.names, np.concatenate([t.matrix for t in tables]))
    columns = [_join([t.columns[i] for t in tables]) for i in range(len(first.names))]
    return Table(first.names, columns)


def _join(columns: List[Column]) -> Column:
    first = columns[0]
    if isinstance(first, Dictionary) and (first.factor or first.untyped):
        return _join_dictionaries([c for c in columns if isinstance(c, Dictionary)])
    return np.concatenate([c.to_objects() if isinstance(c, Dictionary) else c for c in columns])


def _join_dictionaries(columns: List[Dictionary]) -> Dictionary:
    """Columns of one kind as one, whose values are those of all."""
    positions: Dict[str, int] = {}
    parts = []
    for column in columns:
        places = [positions.setdefault(value, len(positions)) for value in column.values]
        parts.append(np.array([*places, -1], np.int32)[column.codes])
    return replace(columns[0], codes=np.concatenate(parts), values=tuple(positions))

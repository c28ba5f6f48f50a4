"""Predict with an H2O model: rows of doubles in memory shared with the JVM.

The rows go into a buffer which both sides hold for good, since wrapping an array for one call
costs more than a row and is freed by Java's collector only. One call scores a buffer's worth.
"""

from __future__ import annotations

import os
import threading
from typing import Any, FrozenSet, Optional, Tuple

import numpy as np

from polyhost.bridges.java import tables
from polyhost.bridges.java.jvm import java_class, shared_buffer
from polyhost.data.column_info import CATEGORY, MISSING, NUMBER, TIME, ColumnInfo
from polyhost.data.payload import Column, Dictionary, Table
from polyhost.data.target import PREDICTIONS

_BUFFER_DOUBLES = 1 << 18
_FEWEST_ROWS, _MOST_ROWS = 64, 8192
_ROWS_A_THREAD = 1024
_TARGET_TYPES = {
    "Regression": "regression",
    "Binomial": "binary",
    "Multinomial": "multiclass",
    "Ordinal": "multiclass",
    "AnomalyDetection": "anomaly",
}


class Lane:
    """One thread's buffers, and the Java object that reads one and writes the other."""

    def __init__(self, model: Any, columns: int, width: int) -> None:
        self.rows = min(_MOST_ROWS, max(_FEWEST_ROWS, _BUFFER_DOUBLES // max(1, columns)))
        self.cells = np.empty((self.rows, columns))
        self.answers = np.empty((self.rows, width))
        lane = java_class("io.polyhost.builtin.H2oLane")
        self.score = lane(model, shared_buffer(self.cells), shared_buffer(self.answers)).score


class H2oPredict:
    """The built-in predict of one H2O model. Any number of threads may call it.

    Its tables are typed by ``columns`` already: numbers, times, and categories as codes.
    """

    def __init__(
        self,
        model: Any,
        times: FrozenSet[str] = frozenset(),
        threads: Optional[int] = None,
    ) -> None:
        self._model = model
        self.columns = columns_of(model, times)
        self.labels = tuple(map(str, model.labels()))
        self.extras = tuple(map(str, model.extras()))
        self.target_type = _TARGET_TYPES.get(str(model.category()))
        self.takes_rows = bool(model.takesRows())
        self.matrix = self.takes_rows and all(c.kind == NUMBER for c in self.columns)
        self._names = (*(self.labels or (PREDICTIONS,)), *self.extras)
        self._threads = threads or len(os.sched_getaffinity(0))
        self._local = threading.local()

    def predict(self, table: Table) -> Table:
        """One row of predictions, and of the extras, for each row."""
        if not self.takes_rows:
            return self._by_wrapper(table)
        answers = np.empty((table.rows, len(self._names)))
        lane = self._lane()
        source = table.matrix
        columns = [*map(doubles, table.columns)] if source is None else []
        for start in range(0, table.rows, lane.rows):
            stop = min(start + lane.rows, table.rows)
            cells = lane.cells[: stop - start]
            if source is not None:
                cells[:] = source[start:stop]
            for i, column in enumerate(columns):
                cells[:, i] = column[start:stop]
            lane.score(stop - start, self._threads_for(stop - start))
            answers[start:stop] = lane.answers[: stop - start]
        return Table.from_matrix(self._names, answers)

    def _by_wrapper(self, table: Table) -> Table:
        """Through H2O's own wrapper, which reads levels as texts."""
        columns = [c if isinstance(c, Dictionary) else doubles(c) for c in table.columns]
        answer = self._model.predict(tables.to_java(Table(table.names, columns)))
        return tables.from_java(answer)

    def _lane(self) -> Lane:
        lane: Optional[Lane] = getattr(self._local, "lane", None)
        if lane is None:
            lane = self._local.lane = Lane(self._model, len(self.columns), len(self._names))
        return lane

    def _threads_for(self, rows: int) -> int:
        return max(1, min(self._threads, rows // _ROWS_A_THREAD))


def columns_of(model: Any, times: FrozenSet[str]) -> Tuple[ColumnInfo, ...]:
    """What the model says of its columns; an unknown level is missing, by H2O's own rule."""
    found = []
    for name, domain in zip(map(str, model.columns()), model.domains()):
        if domain is not None:
            levels = tuple(map(str, domain))
            found.append(ColumnInfo(name, CATEGORY, levels=levels, unknown=MISSING, reader="h2o"))
        else:
            found.append(ColumnInfo(name, TIME if name in times else NUMBER, reader="h2o"))
    return tuple(found)


def doubles(column: Column) -> np.ndarray:
    """A typed column as H2O counts it: levels by position, times in milliseconds since 1970."""
    if isinstance(column, Dictionary):
        codes = column.codes.astype(np.float64)
        codes[column.codes < 0] = np.nan
        return codes
    if column.dtype.kind == "M":
        moments = column.astype("M8[us]")
        milliseconds = np.floor_divide(moments.astype(np.int64), 1000).astype(np.float64)
        milliseconds[np.isnat(moments)] = np.nan
        return np.asarray(milliseconds)
    return column

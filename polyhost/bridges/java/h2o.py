"""Predict with an H2O model: rows of doubles in memory shared with the JVM.

The rows go into a buffer which both sides hold for good, since wrapping an array for one call
costs more than a row and is freed by Java's collector only. One call scores a buffer's worth.
"""

from __future__ import annotations

import os
import threading
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from polyhost.bridges.java import tables
from polyhost.bridges.java.jvm import java_class, shared_buffer
from polyhost.bridges.java.levels import column_levels, numbers
from polyhost.data.payload import Column, Table
from polyhost.data.target import PREDICTIONS

_BUFFER_DOUBLES = 1 << 18
_FEWEST_ROWS, _MOST_ROWS = 64, 8192
_ROWS_A_THREAD = 1024
ABSENT = -1


class Lane:
    """One thread's buffers, and the Java object that reads one and writes the other."""

    def __init__(self, model: Any, columns: int, width: int) -> None:
        self.rows = min(_MOST_ROWS, max(_FEWEST_ROWS, _BUFFER_DOUBLES // max(1, columns)))
        self.cells = np.empty((self.rows, columns))
        self.answers = np.empty((self.rows, width))
        lane = java_class("io.polyhost.builtin.H2oLane")
        self.score = lane(model, shared_buffer(self.cells), shared_buffer(self.answers)).score


class H2oPredict:
    """The built-in predict of one H2O model. Any number of threads may call it."""

    def __init__(self, model: Any, threads: Optional[int]) -> None:
        self._model = model
        self.columns = tuple(map(str, model.columns()))
        domains = [None if d is None else list(map(str, d)) for d in model.domains()]
        self._levels = [column_levels(n, d) for n, d in zip(self.columns, domains)]
        self.numeric = tuple(domain is None for domain in domains)
        self.labels = tuple(map(str, model.labels()))
        self.takes_rows = bool(model.takesRows())
        self.matrix = self.takes_rows and all(self.numeric)
        self._names = self.labels or (PREDICTIONS,)
        self._threads = threads or len(os.sched_getaffinity(0))
        self._local = threading.local()
        self._positions: Tuple[Tuple[str, ...], List[int]] = ((), [])

    def predict(self, table: Table) -> Table:
        """One row of predictions for each row; a column that is absent is missing in every row."""
        if not self.takes_rows:
            return tables.from_java(self._model.predict(tables.to_java(self._complete(table))))
        answers = np.empty((table.rows, len(self._names)))
        lane = self._lane()
        source = self._matrix(table)
        columns = self._converted(table) if source is None else []
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

    def labelled(self, answer: Table) -> Table:
        """What Java answered, with the labels."""
        return answer.renamed(self.labels) if self.labels else answer

    def positions(self, names: Tuple[str, ...]) -> List[int]:
        """Where each of the model's columns is among these; :data:`ABSENT` when it is not."""
        known, positions = self._positions
        if known is not names and known != names:
            first: Dict[str, int] = {}
            for i, name in enumerate(names):
                first.setdefault(name, i)
            positions = [first.get(name, ABSENT) for name in self.columns]
            self._positions = (names, positions)
        return positions

    def _lane(self) -> Lane:
        lane: Optional[Lane] = getattr(self._local, "lane", None)
        if lane is None:
            lane = self._local.lane = Lane(self._model, len(self.columns), len(self._names))
        return lane

    def _threads_for(self, rows: int) -> int:
        return max(1, min(self._threads, rows // _ROWS_A_THREAD))

    def _matrix(self, table: Table) -> Optional[np.ndarray]:
        """The cells in the model's order, where they are one matrix already."""
        positions = self.positions(table.names)
        if table.matrix is None or not self.matrix or ABSENT in positions:
            return None
        if positions == list(range(len(table.names))):
            return table.matrix
        return np.asarray(table.matrix[:, positions])

    def _converted(self, table: Table) -> List[Any]:
        converted: List[Any] = []
        for position, levels in zip(self.positions(table.names), self._levels):
            if position == ABSENT:
                converted.append(np.broadcast_to(np.nan, table.rows))
                continue
            column = table.columns[position]
            converted.append(numbers(column) if levels is None else levels.codes(column))
        return converted

    def _complete(self, table: Table) -> Table:
        """The table with the model's absent columns, all missing."""
        absent = [name for name in self.columns if name not in table.names]
        nothing: Column = np.full(table.rows, np.nan)
        return Table((*table.names, *absent), (*table.columns, *([nothing] * len(absent))))

"""Numbers that several processes keep together, so that a limit holds for all of them at once.

One anonymous mapping, made before the processes are forked. Each process has a column of its own
and is its only writer; every process reads all of them. To stay under a limit a process puts its
own number first, reads the sum, and takes back what was too much: two that do so at the same
moment may both be refused, but never both be let in.
"""

from __future__ import annotations

import mmap
from collections import deque
from typing import Deque

BODIES, CONNECTIONS = 0, 1
"""Cells with a fixed meaning; the others are given out."""

CELLS = 8192


class SharedCounts:
    """The mapping. ``writers``: processes that count; a writer's number is below it."""

    def __init__(self, writers: int, cells: int = CELLS) -> None:
        self.writers = writers
        self._cells = cells
        self._numbers = memoryview(mmap.mmap(-1, writers * cells * 8)).cast("q")
        self._free: Deque[int] = deque(range(CONNECTIONS + 1, cells))

    def count(self, cell: int, writer: int) -> SharedCount:
        """A number as one of its writers sees it."""
        return SharedCount(self._numbers, cell * self.writers, self.writers, writer)

    def take(self) -> int:
        """A cell that nobody uses, the one longest free; IndexError when there is none."""
        return self._free.popleft()

    def give_back(self, cell: int) -> None:
        """Nobody uses this cell any more."""
        self._free.append(cell)

    def clear(self, writer: int) -> None:
        """Forget what a writer that has ended had counted."""
        for place in range(writer, self.writers * self._cells, self.writers):
            self._numbers[place] = 0


class SharedCount:
    """One number: the sum of what its writers put."""

    __slots__ = ("_numbers", "_first", "_end", "_own")

    def __init__(self, numbers: memoryview, first: int, writers: int, writer: int) -> None:
        self._numbers = numbers
        self._first = first
        self._end = first + writers
        self._own = first + writer

    def put(self, value: int) -> None:
        """Set this process's part."""
        self._numbers[self._own] = value

    @property
    def others(self) -> int:
        """The sum of all parts but this process's."""
        numbers = self._numbers
        return sum(numbers[self._first : self._end]) - int(numbers[self._own])

"""How many OpenMP threads a built-in predict uses: one for few rows, all of them for many.

A team of threads that has to meet for every tree of a model costs far more than one row's share
of the work, and on a machine with other work to do it waits for cores: a boosted model's single
row was measured at 0.8 ms with one thread and at 23 ms with two.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Iterator, List, Optional

FEW_ROWS = 1024


class OpenMP:
    """The OpenMP libraries that are loaded when this is made, in this thread's view of them."""

    def __init__(self) -> None:
        self._libraries: List[Any] = []
        try:
            import threadpoolctl  # type: ignore[import-untyped,unused-ignore]
        except ImportError:
            return  # another interpreter may do without
        found = threadpoolctl.ThreadpoolController().lib_controllers
        self._libraries = [library for library in found if library.user_api == "openmp"]

    @contextmanager
    def sized(self, rows: Optional[int]) -> Iterator[None]:
        """Work on so many rows, None being any number; the guest's own setting comes back after."""
        if rows is None or rows >= FEW_ROWS or not self._libraries:
            yield
            return
        before = [library.get_num_threads() for library in self._libraries]
        for library in self._libraries:
            library.set_num_threads(1)
        try:
            yield
        finally:
            for library, threads in zip(self._libraries, before):
                library.set_num_threads(threads)

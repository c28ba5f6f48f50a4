"""What a worker counts, and when it reports to the host: at most once a second, never when idle.

Bridges, codecs and pipeline call :func:`count`; it does nothing where no worker runs.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Any, Dict, List, Optional, Tuple

from polyhost.wire.worker_counters import COUNTERS, LONGEST_LABEL, add_bounded

PERIOD = 1.0
"""Seconds between the first count after a report and the next report."""

Series = Tuple[str, Tuple[str, ...]]

_running: Optional[Counters] = None


def count(name: str, value: int = 1, **labels: object) -> None:
    """Add to a counter of this worker's model: ``count("unknown_levels", column="city")``.

    ``name`` and its labels are those of a row in ``polyhost/wire/worker_counters.py``; ValueError
    for others. The host shows it as ``polyhost_NAME_total``. Callable from any thread.
    """
    known = COUNTERS.get(name)
    if known is None or labels.keys() != set(known.labels):
        raise ValueError(f"no counter {name!r} with the labels {sorted(labels)}")
    if _running is not None:
        _running.count((name, tuple(str(labels[key]) for key in known.labels)), value)


def use(counters: Optional[Counters]) -> None:
    """Have :func:`count` add to these counters; None: to none."""
    global _running
    _running = counters


class Counters:
    """Batches by their size, the seconds they took, rows, and named counters.

    The data loop counts on its own thread; the control thread waits on :attr:`wake_fd` and sends
    what :meth:`take` gives. The data loop writes to that pipe once a report, not once a batch.
    """

    def __init__(self) -> None:
        self.wake_fd, self._wake_end = os.pipe()
        self.predictor: Any = None
        self.due: Optional[float] = None
        self._sizes: Dict[int, int] = {}
        self._seconds: Dict[int, float] = {}
        self._rows_reported = 0
        self._woken = False
        self._named: Dict[Series, int] = {}
        self._lock = threading.Lock()

    def batch(self, size: int) -> None:
        """Count one batch of ``size`` requests."""
        self._sizes[size] = self._sizes.get(size, 0) + 1
        if not self._woken:
            self._wake()

    def ran(self, size: int, seconds: float) -> None:
        """Add the time that a batch of ``size`` requests took."""
        self._seconds[size] = self._seconds.get(size, 0.0) + seconds

    def count(self, series: Series, value: int) -> None:
        """Add to a named counter; a further series past the limit has ``other`` as its labels."""
        name, labels = series[0], tuple(label[:LONGEST_LABEL] for label in series[1])
        with self._lock:
            add_bounded(self._named, name, labels, value)
        if not self._woken:
            self._wake()

    def _wake(self) -> None:
        self._woken = True
        os.write(self._wake_end, b"!")

    def on_wake(self) -> None:
        """The control thread saw the pipe: a report is due in a while."""
        os.read(self.wake_fd, 64)
        self.due = time.monotonic() + PERIOD

    @property
    def wait(self) -> Optional[float]:
        """Milliseconds until a report is due; None when there is nothing to report."""
        return None if self.due is None else max(0.0, (self.due - time.monotonic()) * 1000.0)

    def take(self) -> Dict[str, Any]:
        """The counts since the last call, as a METRIC frame's meta."""
        self.due = None
        self._woken = False  # first: a batch counted from here on asks for the next report
        sizes, self._sizes = self._sizes, {}
        seconds, self._seconds = self._seconds, {}
        rows = int(getattr(self.predictor, "rows", 0))
        reported, self._rows_reported = self._rows_reported, rows
        report: Dict[str, Any] = {
            "batches": {str(size): n for size, n in sizes.items()},
            "rows": rows - reported,
        }
        if seconds:
            report["seconds"] = {str(size): round(spent, 6) for size, spent in seconds.items()}
        named = self._take_named()
        if named:
            report["counts"] = named
        return report

    def _take_named(self) -> List[List[Any]]:
        with self._lock:
            named, self._named = self._named, {}
        return [[name, list(labels), value] for (name, labels), value in named.items()]

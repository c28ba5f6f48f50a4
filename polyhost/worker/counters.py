"""What a worker counts, and when it tells the host: at most once a second, never when idle."""

from __future__ import annotations

import os
import time
from typing import Any, Dict, Optional

PERIOD = 1.0
"""Seconds between the first count after a report and the next report."""


class Tally:
    """Batches by their size, and rows.

    The data loop counts on its own thread; the control thread waits on :attr:`wake_fd` and sends
    what :meth:`take` gives. The data loop writes to that pipe once a report, not once a batch.
    """

    def __init__(self) -> None:
        self.wake_fd, self._wake_end = os.pipe()
        self.predictor: Any = None
        self.due: Optional[float] = None
        self._sizes: Dict[int, int] = {}
        self._rows_told = 0
        self._woken = False

    def batch(self, size: int) -> None:
        """Count one batch of ``size`` requests."""
        self._sizes[size] = self._sizes.get(size, 0) + 1
        if not self._woken:
            self._woken = True
            os.write(self._wake_end, b"!")

    def on_wake(self) -> None:
        """The control thread saw the pipe: a report is due in a while."""
        os.read(self.wake_fd, 64)
        self.due = time.monotonic() + PERIOD

    @property
    def wait(self) -> Optional[float]:
        """Milliseconds until a report is due; None when there is nothing to tell."""
        return None if self.due is None else max(0.0, (self.due - time.monotonic()) * 1000.0)

    def take(self) -> Dict[str, Any]:
        """The counts since the last call, as a METRIC frame's meta."""
        self.due = None
        self._woken = False  # first: a batch counted from here on asks for the next report
        sizes, self._sizes = self._sizes, {}
        rows = int(getattr(self.predictor, "rows", 0))
        told, self._rows_told = self._rows_told, rows
        return {"batches": {str(size): n for size, n in sizes.items()}, "rows": rows - told}

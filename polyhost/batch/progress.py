"""What people see of a run: one live line on a terminal, plain lines elsewhere, a summary at the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

from polyhost.wire import linux

LIVE_EVERY, PLAIN_EVERY = 0.2, 10.0
"""Seconds between two lines, on a terminal and elsewhere."""


class ProgressLine:
    """Shows rows, rows a second, the share that is done, the time left, and workers."""

    def __init__(
        self,
        out: TextIO,
        *,
        share: Callable[[], float | None],
        workers: int,
        pids: Callable[[], list[int]],
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._out = out
        self._live = out.isatty() and not quiet
        self._quiet = quiet
        self._share = share
        self._workers = workers
        self._pids = pids
        self._clock = clock
        self._began = self._shown = clock()
        self._width = 0
        self.rows = self.rejected = 0
        self.skipped = 0
        """Rows of chunks that an earlier run had finished."""
        self.peak = 0

    def step(self, rows: int, rejected: int) -> None:
        """Count a finished chunk, and show a line where one is due."""
        self.rows += rows
        self.rejected += rejected
        now = self._clock()
        if now - self._shown < (LIVE_EVERY if self._live else PLAIN_EVERY):
            return
        self._shown = now
        self._weigh()
        if self._live:
            text = self._line(now)
            self._out.write("\r" + text.ljust(self._width))
            self._out.flush()
            self._width = len(text)
        elif not self._quiet:
            self._out.write(self._line(now) + "\n")
            self._out.flush()

    def _weigh(self) -> None:
        self.peak = max(self.peak, sum(map(linux.memory_pss, self._pids())))

    def _line(self, now: float) -> str:
        seconds = max(now - self._began, 1e-9)
        parts = [f"{self.rows:,} rows", f"{(self.rows - self.skipped) / seconds:,.0f} rows/s"]
        share = self._share()
        if share:
            parts.append(f"{min(share, 1):.0%}")
            left = seconds * (1 - share) / share
            parts.append(f"{_duration(max(0.0, left))} left")
        if self.rejected:
            parts.append(f"{self.rejected:,} rejected")
        parts.append(f"{self._workers} worker{'s' if self._workers > 1 else ''}")
        return ", ".join(parts)

    def close(self) -> None:
        """End the live line."""
        if self._live and self._width:
            self._out.write("\r" + " " * self._width + "\r")
            self._out.flush()
            self._width = 0

    def summary(self) -> str:
        """What a finished run is reported as."""
        self._weigh()
        seconds = self._clock() - self._began
        before = f" ({self.skipped:,} of them before)" if self.skipped else ""
        return (
            f"{self.rows:,} rows{before}, {self.rejected:,} rejected, {seconds:.1f} s, "
            f"peak memory {self.peak / 1e6:,.0f} MB"
        )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"

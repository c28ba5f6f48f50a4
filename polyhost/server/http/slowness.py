"""Clients that do not come to an end: what one owes, and since when."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional, Tuple

LEAST_PROGRESS = 1024
"""Bytes of a body that have to come in the time that it may pause, unless it ends."""

Owed = Tuple[Any, Optional[float]]
"""What stands for the thing that is owed, and the seconds that its client has for it."""
NOTHING: Owed = (None, None)


class Mark(NamedTuple):
    """What a client owed at the last look: the rest of a head or of a body, and since when."""

    owed: Any
    size: int
    since: float


class Slowness:
    """Compares what a client owed at the last look with what it owes now."""

    def __init__(self) -> None:
        self._mark: Optional[Mark] = None

    def look(self, now: float, owed: Any, allowed: Optional[float], size: int) -> Optional[float]:
        """The seconds that were allowed, once they are over; ``size``: bytes that came so far."""
        mark = self._mark
        if owed is None or allowed is None:
            self._mark = None
        elif mark is None or mark.owed is not owed or self._goes_on(mark, size):
            self._mark = Mark(owed, size, now)
        elif now - mark.since >= allowed:
            return allowed
        return None

    def _goes_on(self, mark: Mark, size: int) -> bool:
        return hasattr(mark.owed, "more_body") and size - mark.size >= LEAST_PROGRESS

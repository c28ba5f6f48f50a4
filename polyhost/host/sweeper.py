"""What has to be looked at again and again: deadlines, memory, clients that may have gone.

A part that fails is logged and called again the next time: one mistake must not end the others.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Callable, Dict, List, Optional

logger = logging.getLogger(__name__)

Part = Callable[[float], None]
"""Called with the time of the look (monotonic)."""

LOG_EVERY = 10.0
"""Seconds between two log entries about the same part."""


class Sweeper:
    """Calls parts every ``seconds`` on the event loop. ``parts`` may change while it runs."""

    def __init__(self, seconds: float) -> None:
        self.parts: List[Part] = []
        self._seconds = seconds
        self._logged: Dict[str, float] = {}
        self._task: Optional[asyncio.Task[None]] = None

    def start(self) -> None:
        """Begin; does nothing while it runs."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    def stop(self) -> None:
        """End at once."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            self.sweep(time.monotonic())

    def sweep(self, now: float) -> None:
        """Look once."""
        for part in tuple(self.parts):
            self.call(part, now)

    def call(self, part: Part, now: float) -> None:
        """Call a part; its failure is logged and goes no further."""
        try:
            part(now)
        except Exception:
            name = f"{getattr(part, '__module__', '')}.{getattr(part, '__qualname__', part)}"
            if now - self._logged.get(name, -LOG_EVERY) >= LOG_EVERY:
                self._logged[name] = now
                logger.exception("%s failed; it is called again", name)

"""When the configuration is read again: on SIGHUP, and when its file changes."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from typing import Optional, Tuple

from polyhost.deployment import Deployment
from polyhost.errors import PolyhostError

log = logging.getLogger(__name__)

LOOK = 1.0
"""Seconds between two looks at the file."""

Stamp = Optional[Tuple[int, int, int]]


class Reloader:
    """Asks a deployment to reload, one at a time; a mistake leaves everything as it is."""

    def __init__(self, deployment: Deployment, watched: Optional[Path]) -> None:
        self._deployment = deployment
        self._watched = watched
        self._stamp = _stamp(watched)
        self._looked = time.monotonic()
        self._task: Optional[asyncio.Task[None]] = None
        self._asked = False

    def ask(self) -> None:
        """Reload now, or once more after the reload that runs."""
        self._asked = True
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    def sweep(self, now: float) -> None:
        """Look at the file, every LOOK seconds."""
        if self._watched is None or now - self._looked < LOOK:
            return
        self._looked = now
        stamp = _stamp(self._watched)
        if stamp is not None and stamp != self._stamp:
            self._stamp = stamp
            self.ask()

    async def _run(self) -> None:
        while self._asked:
            self._asked = False
            try:
                await self._deployment.reload()
            except (PolyhostError, OSError) as error:
                log.error("the configuration cannot be used, all stays as it is: %s", error)


def _stamp(path: Optional[Path]) -> Stamp:
    if path is None:
        return None
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino

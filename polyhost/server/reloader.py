"""When the configuration is read again: on SIGHUP, and when one of its files changes."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from typing import Optional, Sequence, Tuple

from polyhost.deployment import Deployment
from polyhost.errors import PolyhostError

log = logging.getLogger(__name__)

LOOK = 1.0
"""Seconds between two looks at the files."""

Stamp = Optional[Tuple[int, int, int]]


class Reloader:
    """Asks a deployment to reload, one at a time; a mistake leaves everything as it is."""

    def __init__(self, deployment: Deployment, watched: Sequence[Path]) -> None:
        self._deployment = deployment
        self._stamps = {path: _stamp(path) for path in watched}
        self._looked = time.monotonic()
        self._task: Optional[asyncio.Task[None]] = None
        self._asked = False

    def ask(self) -> None:
        """Reload now, or once more after the reload that runs."""
        self._asked = True
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    def sweep(self, now: float) -> None:
        """Look at the files, every LOOK seconds."""
        if now - self._looked < LOOK:
            return
        self._looked = now
        for path, known in self._stamps.items():
            stamp = _stamp(path)
            if stamp is not None and stamp != known:
                self._stamps[path] = stamp
                self.ask()

    async def _run(self) -> None:
        while self._asked:
            self._asked = False
            try:
                await self._deployment.reload()
            except (PolyhostError, OSError) as error:
                log.error("the configuration cannot be used, all stays as it is: %s", error)


def _stamp(path: Path) -> Stamp:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino

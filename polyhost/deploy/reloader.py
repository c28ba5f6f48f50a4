"""When the configuration is read again: on SIGHUP, and when one of its files changes."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from typing import Optional, Sequence, Tuple

from polyhost.config import Loaded
from polyhost.deploy.deployer import Deployer
from polyhost.errors import PolyhostError

logger = logging.getLogger(__name__)

LOOK = 1.0
"""Seconds between two looks at the files."""

Stamp = Optional[Tuple[int, int, int]]


class Reloader:
    """Has a deployment reload; a mistake leaves everything but the keys as it is.

    Reading does not wait for models that are still loading: a key that was taken out is refused
    at once. Models follow what was read last.
    """

    def __init__(self, deployment: Deployer, watched: Sequence[Path]) -> None:
        self._deployment = deployment
        self._stamps = {path: _stamp(path) for path in watched}
        self._looked = time.monotonic()
        self._reading: Optional[asyncio.Task[None]] = None
        self._applying: Optional[asyncio.Task[None]] = None
        self._asked = False
        self._newest: Optional[Loaded] = None

    def ask(self) -> None:
        """Read now, or once more after the reading that runs."""
        self._asked = True
        if self._reading is None or self._reading.done():
            self._reading = asyncio.get_running_loop().create_task(self._read())

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

    async def _read(self) -> None:
        while self._asked:
            self._asked = False
            try:
                loaded = await self._deployment.read()
            except (PolyhostError, OSError) as error:
                logger.error(
                    "the configuration cannot be used; all but its keys stays as it is: %s", error
                )
                continue
            except Exception:
                logger.exception("the configuration cannot be read; all stays as it is")
                continue
            if self._newest is not None:
                self._newest.let_go()
            self._newest = loaded
            if self._applying is None or self._applying.done():
                self._applying = asyncio.get_running_loop().create_task(self._apply())

    async def _apply(self) -> None:
        while self._newest is not None:
            loaded, self._newest = self._newest, None
            try:
                await self._deployment.apply(loaded)
            except (PolyhostError, OSError) as error:
                logger.error("the configuration was applied in part: %s", error)
            except Exception:
                logger.exception("the configuration was applied in part")


def _stamp(path: Path) -> Stamp:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino

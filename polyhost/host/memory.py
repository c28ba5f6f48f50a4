"""The memory of one model's workers: looked at, and ended above the limit.

A request during which a worker grew by more than half of its limit has done that itself. It gets
its error at once: another try would only take as long again, and end another worker.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Callable, Coroutine, Dict, Optional, Protocol, Sequence

from polyhost.errors import WorkerCrashed
from polyhost.host.process import WorkerProcess
from polyhost.host.request import Pending
from polyhost.wire import linux

logger = logging.getLogger(__name__)

LOOK = 1.0
"""Seconds between two looks."""


class MemoryUse:
    """What was seen of one worker. ``over``: its bytes when it was found over its limit."""

    def __init__(self) -> None:
        self.over: Optional[int] = None
        self._idle: Optional[int] = None
        self._newest = 0

    def note(self, resident: int, idle: bool) -> None:
        """Bytes at a look, and whether no request was there then."""
        self._newest = resident
        if idle:
            self._idle = resident

    def grew_by(self) -> int:
        """Bytes since it was idle the last time; 0 when that was never seen."""
        return 0 if self._idle is None else max(0, self._newest - self._idle)


class Watched(Protocol):
    """A replica whose memory is looked at."""

    worker: Optional[WorkerProcess]
    ready: bool
    begins: bool
    inflight: Dict[int, Pending]
    memory: MemoryUse


class MemoryWatch:
    """Watches the workers of one model; ``spawn`` runs what takes a moment beside the loop."""

    def __init__(
        self, name: str, limit: Optional[int], spawn: Callable[[Coroutine[Any, Any, None]], Any]
    ) -> None:
        self._name = name
        self._limit = limit
        self._spawn = spawn
        self._looked = 0.0

    def look(self, members: Sequence[Watched], now: float) -> None:
        """Look, if it is time to."""
        limit = self._limit
        if limit is None or now - self._looked < LOOK:
            return
        self._looked = now
        for member in members:
            if member.worker is None:
                continue
            size = _resident(member.worker.pid)
            # Where fronts have the requests, nobody here knows when a worker is idle.
            idle = member.ready and not member.begins and not member.inflight
            member.memory.note(size, idle)
            if size > limit:
                self._spawn(self._weigh(member.memory, member.worker, limit))

    async def _weigh(self, memory: MemoryUse, worker: WorkerProcess, limit: int) -> None:
        """Resident memory is over the limit; count shared pages fairly before the verdict."""
        size = await asyncio.to_thread(_pss, worker.pid)
        if size > limit and worker.exit_code is None and memory.over is None:
            logger.error("worker %s of model %s holds %d bytes", worker.pid, self._name, size)
            memory.over = size
            worker.kill()

    def crash(self, memory: MemoryUse, crash: WorkerCrashed) -> WorkerCrashed:
        """The end of a worker that was over its limit, as its requests get it."""
        limit = self._limit or 0
        facts = {"by_request": True} if memory.grew_by() * 2 > limit else {}
        return WorkerCrashed(
            f"the model's process was ended at {memory.over} bytes of memory: its limit is "
            f"{limit}. Raise the limit, or send fewer rows at a time.",
            exit_code=crash.facts["exit_code"],
            **facts,
        )


def _resident(pid: int) -> int:
    """Bytes of a worker and of what its guest started."""
    return sum(map(linux.memory_resident, linux.family(pid)))


def _pss(pid: int) -> int:
    return sum(map(linux.memory_pss, linux.family(pid)))

"""What a scrape reads from the host: nothing here is counted while requests are served."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Callable, Dict, Sequence, Tuple

from polyhost.host.host import Host
from polyhost.server.watch.metrics import Metrics
from polyhost.wire import linux

MEMORY_AGE = 1.0
"""Seconds for which a reading of memory is good: the kernel walks every page for it."""


class Memory:
    """PSS of processes, read on another thread and kept for a moment."""

    def __init__(self) -> None:
        self._read = 0.0
        self._bytes: Dict[int, int] = {}

    async def of(self, pids: Sequence[int]) -> Dict[int, int]:
        """Bytes by process; 0 for one that has ended."""
        if time.monotonic() - self._read > MEMORY_AGE or not set(pids) <= self._bytes.keys():
            self._bytes = await asyncio.to_thread(_pss, tuple(pids))
            self._read = time.monotonic()
        return self._bytes


def _pss(pids: Tuple[int, ...]) -> Dict[int, int]:
    from polyhost.server.watch import collector  # noqa: F401  imported here: it takes a moment

    return {pid: linux.memory_pss(pid) for pid in pids}


async def scrape(
    metrics: Metrics,
    host: Host,
    memory: Memory,
    busy_elsewhere: Callable[[str], int],
    accept: str,
) -> Tuple[bytes, str]:
    """The metrics of a server as text, and its content type, in a format that is accepted."""
    pids = [worker.pid for model in host.models.values() for worker in model.workers]
    pss = await memory.of([os.getpid(), *pids])
    from polyhost.server.watch import collector

    models = list(host.models.values())
    of_workers = {m.name: sum(pss.get(worker.pid, 0) for worker in m.workers) for m in models}
    families = [
        *collector.counts(metrics),
        *collector.state(models, {m.name: busy_elsewhere(m.name) for m in models}),
        *collector.memory(
            of_workers, pss.get(os.getpid(), 0), host.budget.total, host.budget.limit
        ),
        collector.build_info(),
    ]
    return collector.encoded(families, accept)

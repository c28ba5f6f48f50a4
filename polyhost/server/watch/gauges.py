"""What a scrape reads from the host: nothing here is counted while requests are served."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Callable, Dict, Iterable, List, Sequence, Tuple

from polyhost import __version__
from polyhost.host.host import Host
from polyhost.host.model_slot import Model
from polyhost.host.pool import State
from polyhost.server.watch.exposition import Family
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
    return {pid: linux.memory_pss(pid) for pid in pids}


async def families(
    host: Host, memory: Memory, busy_elsewhere: Callable[[str], int] = lambda model: 0
) -> List[Family]:
    """The state of the host and of each of its models, fronts included."""
    pools = list(host.models.values())
    pids = [worker.pid for pool in pools for worker in pool.workers]
    pss = await memory.of([os.getpid(), *pids])
    info = Family("polyhost_build_info", "gauge", "The version of polyhost.")
    info.add(1, version=__version__)
    return [*_work(pools, busy_elsewhere), *_life(pools), *_memory(host, pools, pss), info]


def _work(pools: Iterable[Model], busy_elsewhere: Callable[[str], int]) -> List[Family]:
    running = Family("polyhost_in_progress", "gauge", "Requests accepted and not yet answered.")
    queue = Family("polyhost_queue_depth", "gauge", "Requests that wait for a worker.")
    for pool in pools:
        running.add(pool.busy + busy_elsewhere(pool.name), model=pool.name)
        queue.add(pool.queued, model=pool.name)
    return [running, queue]


def _life(pools: Iterable[Model]) -> List[Family]:
    ready = Family("polyhost_model_ready", "gauge", "1 when the model can answer.")
    state = Family("polyhost_model_state", "gauge", "1 for the state that the model is in.")
    wanted = Family("polyhost_workers_wanted", "gauge", "Workers that the model should have.")
    workers = Family("polyhost_workers_ready", "gauge", "Workers of the model that can answer.")
    restarts = Family(
        "polyhost_worker_restarts", "counter", "Workers that ended and were replaced."
    )
    for pool in pools:
        model = pool.model
        ready.add(int(pool.any_ready), model=pool.name, language=model.spec.language)
        for member in State:
            here = int(pool.state is member)
            state.add(here, model=pool.name, version=model.version, state=member.value)
        wanted.add(model.workers, model=pool.name)
        workers.add(pool.ready_workers, model=pool.name)
        restarts.add(pool.restarts, model=pool.name)
    return [ready, state, wanted, workers, restarts]


def _memory(host: Host, pools: Iterable[Model], pss: Dict[int, int]) -> List[Family]:
    workers = Family(
        "polyhost_worker_pss_bytes", "gauge", "Memory (PSS) of all workers of the model."
    )
    own = Family("polyhost_host_pss_bytes", "gauge", "Memory (PSS) of the host process.")
    held = Family("polyhost_bodies_held_bytes", "gauge", "Bytes of spooled bodies not answered.")
    limit = Family("polyhost_bodies_limit_bytes", "gauge", "Bytes of bodies that may be held.")
    for pool in pools:
        total = sum(pss.get(worker.pid, 0) for worker in pool.workers)
        workers.add(total, model=pool.name)
    own.add(pss.get(os.getpid(), 0))
    held.add(host.budget.total)
    limit.add(host.budget.limit)
    return [workers, own, held, limit]

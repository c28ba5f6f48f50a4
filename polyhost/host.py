"""The host: models by name, each behind its pool of workers."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Callable, Dict, Iterable, List, Optional

from polyhost.observe import NOBODY, ModelObserver
from polyhost.settings import HostedModel
from polyhost.worker import linux
from polyhost.worker.nursery import Nursery
from polyhost.worker.pool import Pool
from polyhost.worker.spool import Budget

log = logging.getLogger(__name__)

SWEEP = 0.05
"""Seconds between two looks at deadlines and at clients that may have gone away."""

Output = Callable[[str, str, bytes, int, str], None]
"""Called with model, ``stdout`` or ``stderr``, what guest code wrote there, its worker's pid, and
the id of the request that ran then (empty: none, several, or not known)."""


class Host:
    """Owns every worker of this process. Made and used on one event loop."""

    def __init__(
        self,
        on_output: Output,
        *,
        warm: bool = True,
        adopt: bool = True,
        observe: Callable[[HostedModel], ModelObserver] = lambda model: NOBODY,
    ) -> None:
        if adopt:
            linux.become_subreaper()
        self.models: Dict[str, Pool] = {}
        self.budget = Budget()
        self.on_sweep: List[Callable[[float], None]] = []
        self._nursery = Nursery(warm=warm)
        self._on_output = on_output
        self._observe = observe
        self._sweeper: Optional[asyncio.Task[None]] = None

    async def start(self, models: Iterable[HostedModel]) -> None:
        """Load every model; returns when each is ready or has failed (its pool says why)."""
        if self._sweeper is None:
            self._sweeper = asyncio.create_task(self._sweep())
        pools = [self._add(model) for model in models]
        await asyncio.gather(*(pool.start() for pool in pools))

    def _add(self, model: HostedModel) -> Pool:
        pool = self.models[model.name] = Pool(
            model, self._nursery, self._on_output, observer=self._observe(model)
        )
        return pool

    async def stop(self, grace: float) -> None:
        """Answer what was accepted, within ``grace`` seconds; then end all processes."""
        await asyncio.gather(*(pool.stop(grace) for pool in self.models.values()))
        self._nursery.close()
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP)
            now = time.monotonic()
            for pool in tuple(self.models.values()):
                pool.sweep(now)
            for sweep in self.on_sweep:
                sweep(now)

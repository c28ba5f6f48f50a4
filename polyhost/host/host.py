"""The host: models by name, their lives, and what they may take together."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import AsyncIterator, Callable, Dict, Iterable, List, Optional, Tuple

from polyhost.errors import WorkerNotReady
from polyhost.host import temp_dirs
from polyhost.host.launcher import Launcher
from polyhost.host.model_slot import ModelSlot
from polyhost.host.observers import NOBODY, ModelObserver
from polyhost.host.orphans import MARK, Orphans
from polyhost.host.pool import Output, Pool
from polyhost.host.shared_counts import SharedCount
from polyhost.host.spool import Budget
from polyhost.host.sweeper import Part, Sweeper
from polyhost.host.user import WorkerUser
from polyhost.host.worker_listener import WorkerListener
from polyhost.settings import HostLimits, ModelConfig
from polyhost.wire import linux

logger = logging.getLogger(__name__)

SWEEP = 0.05
"""Seconds between two looks at deadlines and at clients that may have gone away."""

NO_LIMITS = HostLimits()
MEMORY_LOOK = 5.0
"""Seconds between two looks at the memory of all workers."""
ORPHANS_LOOK, ORPHANS_LIMIT = 1.0, 5.0
"""Seconds between two looks for what workers left behind, and that the last look may take."""


class Host:
    """Owns every worker of this process. Made and used on one event loop.

    ``bodies``: bytes of bodies that this process and its fronts keep together.
    """

    def __init__(
        self,
        on_output: Output,
        *,
        warm: bool = True,
        adopt: bool = True,
        observe: Callable[[ModelConfig], ModelObserver] = lambda model: NOBODY,
        limits: HostLimits = NO_LIMITS,
        worker_user: Optional[WorkerUser] = None,
        bodies: Optional[SharedCount] = None,
    ) -> None:
        adopts = adopt and linux.become_subreaper()
        self._orphans = Orphans() if adopts else None
        self._orphans_cleared = 0.0
        self.models: Dict[str, ModelSlot] = {}
        self.budget = Budget(limits.body_budget, bodies)
        self._jobs: List[Pool] = []
        self._sweeper = Sweeper(SWEEP)
        self._sweeper.parts += [self._sweep_models, self._sweep_others]
        self.on_change: List[Callable[[], None]] = []
        """Called when a name comes, goes, or has another version."""
        self._limits = limits
        self._weighing: Optional[asyncio.Task[None]] = None
        self._weighed = 0.0
        mark = {MARK: self._orphans.mark} if self._orphans is not None else None
        self._launcher = Launcher(warm=warm, mark=mark)
        self._launcher.sandboxes.user = worker_user
        self._on_output = on_output
        self._observe = observe
        self.watcher: Optional[WorkerListener] = None
        """Who hands workers to further fronts; set before the first model is loaded."""

    @property
    def on_sweep(self) -> List[Part]:
        """What is called every SWEEP seconds, with the time of the look."""
        return self._sweeper.parts

    async def start(self, models: Iterable[ModelConfig]) -> None:
        """Load every model that is not lazy; returns when each is ready or has failed."""
        self._sweeper.start()
        temp_dirs.clear_abandoned()
        added = [self._add(hosted) for hosted in models]
        self._changed()
        await asyncio.gather(*(self._load(model) for model in added if not model.config.lazy))

    async def _load(self, model: ModelSlot) -> None:
        await model.load(model.config)
        self._changed()

    def _add(self, hosted: ModelConfig) -> ModelSlot:
        model = self.models[hosted.name] = ModelSlot(hosted, self._make_pool)
        return model

    def _make_pool(self, hosted: ModelConfig) -> Pool:
        return Pool(
            hosted,
            self._launcher,
            self._on_output,
            observer=self._observe(hosted),
            watcher=self.watcher,
        )

    def _changed(self) -> None:
        for changed in self.on_change:
            changed()

    # Life of one model

    async def deploy(self, hosted: ModelConfig) -> bool:
        """Load a model, or another version of one that is there; False when it could not load.

        The version before it answers until the new one is ready and has passed its check.
        """
        model = self.models.get(hosted.name)
        if model is None:
            model = self._add(hosted)
            self._changed()
        done = model.adopt(hosted) or await model.load(hosted)
        self._changed()
        return done

    async def load_again(self, name: str) -> bool:
        """Load a model that is there, lazy or not; False when it could not. KeyError for none."""
        model = self.models[name]
        done = await model.load(model.config)
        self._changed()
        return done

    async def park(self, name: str) -> None:
        """Unload a model, and keep its name; KeyError for an unknown one."""
        model = self.models[name]
        await model.park()
        self._changed()

    async def remove(self, name: str, grace: float = 30.0) -> None:
        """Take a model away: what it accepted is answered. KeyError for an unknown name."""
        model = self.models.pop(name)
        self._changed()
        await model.stop(grace)

    @asynccontextmanager
    async def job(
        self, config: ModelConfig, on_output: Callable[[bytes], None]
    ) -> AsyncIterator[Tuple[Pool, Path]]:
        """A worker for one job beside those that answer, ended with the block: its pool, and the
        folder that its temporary files are in. ``on_output`` is given what it prints, too."""

        def output(model: str, stream: str, data: bytes, pid: int, request: str) -> None:
            self._on_output(model, stream, data, pid, request)
            on_output(data)

        pool = Pool(config, self._launcher, output)
        self._jobs.append(pool)
        try:
            await pool.start()
            root = self._launcher.temp_dirs.root
            if pool.reason is not None or root is None:
                raise pool.reason or WorkerNotReady(f"model {config.name!r} was stopped")
            yield pool, root
        finally:
            await pool.stop(0.0)
            self._jobs.remove(pool)

    async def stop(self, grace: float) -> None:
        """Answer what was accepted, within ``grace`` seconds; then end all processes."""
        await asyncio.gather(*(model.stop(grace) for model in self.models.values()))
        await asyncio.gather(*(pool.stop(0.0) for pool in self._jobs))
        self._launcher.close()
        if self._orphans is not None:
            self._orphans.clear_all(self._launcher.started, time.monotonic() + ORPHANS_LIMIT)
        self._sweeper.stop()
        if self._weighing is not None:
            self._weighing.cancel()

    def end_warm_parents(self) -> None:
        """Let go of what only starts workers: all are there. One that is replaced starts another."""
        self._launcher.end_parents()

    # Watching

    def _sweep_models(self, now: float) -> None:
        for model in tuple(self.models.values()):
            self._sweeper.call(model.sweep, now)
        for pool in tuple(self._jobs):
            self._sweeper.call(pool.sweep, now)

    def _sweep_others(self, now: float) -> None:
        if self._orphans is not None and now - self._orphans_cleared > ORPHANS_LOOK:
            self._orphans_cleared = now
            self._sweeper.call(self._clear_orphans, now)
        if self._limits.memory is not None and now - self._weighed > MEMORY_LOOK:
            self._weighed = now
            self._weighing = asyncio.create_task(self._keep_budget(self._limits.memory))

    def _clear_orphans(self, now: float) -> None:
        if self._orphans is not None:
            self._orphans.clear(self._launcher.started, now)

    async def _keep_budget(self, budget: int) -> None:
        """Let idle lazy models rest, the longest unused first, until all fit in the budget."""
        sizes = await asyncio.to_thread(_sizes, self._pids())
        total = sum(sizes.values())
        resting = [m for m in self.models.values() if m.config.lazy and m.any_ready and not m.busy]
        for model in sorted(resting, key=lambda model: model.last_used):
            if total <= budget:
                return
            total -= sum(sizes.get(worker.pid, 0) for worker in model.workers)
            logger.info("model %s rests: all models hold more than %d bytes", model.name, budget)
            await model.rest()

    def _pids(self) -> List[int]:
        return [worker.pid for model in self.models.values() for worker in model.workers]


def _sizes(pids: List[int]) -> Dict[int, int]:
    return {pid: linux.memory_pss(pid) for pid in pids}

"""A model as clients know it: a name, the version that answers, and its life.

Loading, replacing and unloading go one at a time for a name. A new version takes over only when
it is ready and has passed its own check; the old one then answers what it had accepted, and ends.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from typing import Any, Callable, Dict, List, Optional

from polyhost.errors import PolyhostError, WorkerNotReady
from polyhost.host.example_check import check
from polyhost.host.pool import Pool, State
from polyhost.host.process import WorkerProcess
from polyhost.host.request import Body, Pending, Waiter
from polyhost.predictor import INFER_TARGET, ModelInfo
from polyhost.settings import ModelConfig

logger = logging.getLogger(__name__)

MakePool = Callable[[ModelConfig], Pool]


class ModelSlot:
    """One name of a host. Has what a pool has, for whoever answers now."""

    def __init__(self, config: ModelConfig, make_pool: MakePool, grace: float = 30.0) -> None:
        self.name = config.name
        self.config = config
        self.last_used = time.monotonic()
        self.failure: Optional[PolyhostError] = None
        """Why the last attempt to load failed, while an earlier version still answers."""
        self._make_pool = make_pool
        self._grace = grace
        self._pool: Optional[Pool] = None
        self._coming: Optional[Pool] = None
        self._leaving: List[Pool] = []
        self._restarts = 0
        self._lock = asyncio.Lock()
        self._wake: Optional[asyncio.Task[bool]] = None
        self._gone = False
        self.parked = False
        """It was unloaded on request, and stays so until it is loaded on request."""

    # What it is now

    @property
    def active_pool(self) -> Optional[Pool]:
        """The pool that answers; None while there is none."""
        return self._pool

    @property
    def pool(self) -> Optional[Pool]:
        """The pool that answers, or is the first to load."""
        return self._pool or self._coming

    @property
    def state(self) -> State:
        if self._gone:
            return State.STOPPED
        if self._pool is not None:
            return self._pool.state
        if self._coming is not None:
            return State.LOADING  # until it has passed its check
        return State.FAILED if self.failure is not None else State.UNLOADED

    @property
    def reason(self) -> Optional[PolyhostError]:
        """Why it cannot answer, or why its newest version did not take over."""
        pool = self.pool
        return self.failure if pool is None or pool.reason is None else pool.reason

    @property
    def info(self) -> Optional[ModelInfo]:
        return None if self.pool is None else self.pool.info

    @property
    def any_ready(self) -> bool:
        return self._pool is not None and self._pool.any_ready

    @property
    def _pools(self) -> List[Pool]:
        """Every version that has processes, or may yet have."""
        found = (self._pool, self._coming, *self._leaving)
        return [pool for pool in found if pool is not None]

    @property
    def busy(self) -> int:
        """Requests accepted and not yet answered, by any version."""
        return sum(pool.busy for pool in self._pools)

    @property
    def queued(self) -> int:
        """Requests that no worker has yet."""
        return sum(pool.queued for pool in self._pools)

    @property
    def ready_workers(self) -> int:
        """Replicas of the version that answers, spares not counted."""
        return 0 if self._pool is None else self._pool.ready_workers

    @property
    def restarts(self) -> int:
        """Workers that ended and were replaced, since the host started."""
        return self._restarts + sum(pool.restarts for pool in self._pools)

    @property
    def workers(self) -> List[WorkerProcess]:
        """Processes that live now, of any version."""
        return [worker for pool in self._pools for worker in pool.workers]

    def describe(self) -> Dict[str, Any]:
        """State, version and reason, for people and for the admin API."""
        reason = self.reason
        return {
            "name": self.name,
            "version": self.config.version,
            "state": self.state.value,
            "reason": None if reason is None else reason.message,
            "language": self.config.spec.language,
            "target_type": self._target_type,
            "code_dir": str(self.config.spec.code_dir),
            "replicas": self.config.workers,
            "ready": self.ready_workers,
            "restarts": self.restarts,
            "pids": [worker.pid for worker in self.workers],
            **self.config.annotations,
        }

    @property
    def _target_type(self) -> Optional[str]:
        """None while only the artifact knows it, and is not loaded."""
        spec = (self._pool or self).config.spec
        return None if INFER_TARGET in spec.options else spec.target.type.value

    # Requests

    def submit(
        self, meta: bytes, body: Body, retry: bool, waiter: Optional[Waiter] = None
    ) -> Pending:
        """As :meth:`Pool.submit`; a lazy model that is not loaded begins to."""
        self.last_used = time.monotonic()
        pool = self._pool
        if pool is None:
            pool = self._awaken()
        return pool.submit(meta, body, retry, waiter)

    def cancel(self, pending: Pending) -> None:
        """As :meth:`Pool.cancel`, in whichever version has it."""
        for pool in self._pools:
            if pool.cancel(pending):
                return

    def _awaken(self) -> Pool:
        """The version that is coming, where requests may wait for it."""
        if self._coming is not None and self._coming.hold:
            return self._coming
        if self._gone or self.parked or not self.config.lazy:
            raise self._not_ready()
        if self._coming is None:
            self._coming = self._make_pool(self.config)
            self._coming.hold = True
            self._wake = asyncio.get_running_loop().create_task(self.load(self.config))
        return self._coming

    def _not_ready(self) -> PolyhostError:
        if self.failure is not None:
            return WorkerNotReady(
                f"model {self.name!r} failed to load: {self.failure.message}",
                cause=self.failure.kind,
                retry_after=1,
            )
        return WorkerNotReady(f"model {self.name!r} is {self.state.value}", retry_after=1)

    # Life

    def adopt(self, hosted: ModelConfig) -> bool:
        """Take over the version of a lazy model that is not loaded; False where it has to be loaded."""
        if not hosted.lazy or self.pool is not None:
            return False
        self.config = hosted
        self.failure = None
        return True

    async def load(self, hosted: ModelConfig) -> bool:
        """Bring up this version and let it take over; False when it could not (``failure``)."""
        waking = self._wake
        if hosted != self.config and waking is not None and waking is not asyncio.current_task():
            await asyncio.wait((waking,))  # requests wait for the version that it loads
        async with self._lock:
            if self._gone:
                return False
            self.parked = False
            coming = self._coming or self._make_pool(hosted)
            self._coming = coming
            old = self._pool
            await coming.prepare()  # what takes long, and may fail, while the old one answers
            if old is not None and hosted.swap == "replace" and coming.state is not State.FAILED:
                self._pool = None
                coming.hold = True
                await self._retire(old)
                old = None
            await coming.start()
            if coming.state is State.STOPPED:
                self._coming = None
                return False
            failure = (
                coming.reason if coming.state is State.FAILED else await self._check(coming, old)
            )
            self._coming = None
            if failure is not None:
                return await self._keep(old, coming, failure)
            self.failure = None
            self.config = hosted
            self._pool = coming
        if old is not None:
            await self._retire(old)
        return True

    async def _check(self, pool: Pool, old: Optional[Pool]) -> Optional[PolyhostError]:
        try:
            await check(pool, first=old is None)
        except PolyhostError as error:
            logger.error("model %s: version %s: %s", self.name, pool.config.version, error)
            return error
        return None

    async def _keep(self, old: Optional[Pool], coming: Pool, failure: PolyhostError) -> bool:
        """The new version cannot take over: what answered before goes on."""
        self.failure = failure
        coming.fail(failure)
        if old is None and not self.config.lazy:
            self._pool = coming
        else:
            await coming.stop(0.0)
        return False

    async def _retire(self, pool: Pool) -> None:
        self._leaving.append(pool)
        try:
            await pool.stop(self._grace)
        finally:
            self._leaving.remove(pool)
            self._restarts += pool.restarts

    async def scale(self, replicas: int) -> None:
        """Change the number of replicas; requests go on."""
        async with self._lock:
            self.config = replace(self.config, workers=replicas)
            if self._pool is not None:
                await self._pool.scale(replicas)

    async def rest(self) -> None:
        """Free a lazy model's memory; its next request loads it again."""
        async with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            await self._retire(pool)

    async def park(self) -> None:
        """Unload it, whatever it is; what it accepted is answered. Its name stays."""
        self.parked = True
        await self.rest()

    async def stop(self, grace: float) -> None:
        """End for good: answer what was accepted, within ``grace`` seconds, then end all workers."""
        self._gone = True
        self._grace = grace
        if self._wake is not None:
            self._wake.cancel()
        leaving = [pool.stop(grace) for pool in self._leaving]
        pools = [pool for pool in (self._coming, self._pool) if pool is not None]
        await asyncio.gather(*leaving, *(self._retire(pool) for pool in pools))

    def sweep(self, now: float) -> None:
        """Judge the workers of every version."""
        for pool in self._pools:
            pool.sweep(now)

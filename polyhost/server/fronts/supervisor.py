"""The supervisor's side of several fronts: gives them workers, reports what changes, acts for them.

Each front has a channel to the supervisor, over which it learns of models and workers, and asks for
what only the parent of a worker can do. A front that says nothing for a long time is replaced.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import signal
import socket
import time
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional

from polyhost.errors import WorkerCrashed, to_wire
from polyhost.host.balance import Cost
from polyhost.host.host import Host
from polyhost.host.pool import Pool
from polyhost.host.process import WorkerProcess
from polyhost.host.shared_counts import SharedCount, SharedCounts
from polyhost.server.credentials import access_to_wire
from polyhost.server.fronts.channel import Channel, Message
from polyhost.server.fronts.forker import Forker
from polyhost.server.fronts.messages import ModelChanges, config_to_wire
from polyhost.server.watch.metrics import Metrics
from polyhost.settings import ServerSettings

logger = logging.getLogger(__name__)

SILENT = 30.0
"""Seconds after which a front that has said nothing is replaced; each reports once a second."""

STALLED = 5.0
"""Seconds between two looks after which it is the supervisor that was away, not the fronts."""

MOST_WAITING = 64 << 20
"""Bytes of messages that a front may leave unread."""

ENDING = 5.0
"""Seconds past the grace that fronts have to end in."""


class Front:
    """One front, as its supervisor sees it."""

    def __init__(self, pid: int, number: int) -> None:
        self.pid = pid
        self.number = number
        self.heard = time.monotonic()
        self.busy: Dict[int, int] = {}
        """Requests accepted and not yet answered, by the number of their pool."""
        self.channel: Channel

    def kill(self, why: str) -> None:
        """End it; another is started in its place."""
        logger.error("front %s %s: it is ended", self.pid, why)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


@dataclass
class _Pool:
    """A pool with its number, and the cell of the number of its waiting requests."""

    pool: Pool
    number: int
    cell: Optional[int]
    cost: Cost = (0.0, 0.0)


class Fronts:
    """All fronts of a supervisor; watches its pools for them."""

    def __init__(
        self,
        host: Host,
        forker: Forker,
        settings: ServerSettings,
        counts: SharedCounts,
        metrics: Metrics,
    ) -> None:
        self.failed = asyncio.Event()
        """Set when no front can be started any more."""
        self._metrics = metrics
        """Where what fronts count is added, so that none of it goes with a front that ends."""
        self._host = host
        self._forker = forker
        self._settings = settings
        self._counts = counts
        self._fronts: Dict[int, Front] = {}
        self._pools: Dict[int, _Pool] = {}
        self._pool_numbers: Dict[int, int] = {}
        self._workers: Dict[int, tuple[Pool, WorkerProcess]] = {}
        self._worker_numbers: Dict[int, int] = {}
        self._numbers = itertools.count(1)
        self._waits: Dict[str, Dict[int, asyncio.Future[None]]] = {}
        self._ending: Dict[int, asyncio.Task[None]] = {}
        self._models = ModelChanges(self._pool_numbers)
        self._stopping = False
        self._open = not settings.wait
        self._swept = time.monotonic()
        self._loop = asyncio.get_running_loop()
        self._announcements = Channel(
            forker.sock, "forker", self._on_announcement, self._on_forker_end
        )
        host.watcher = self
        host.on_change.append(self._send_models)
        host.on_sweep.append(self._sweep)

    # Fronts that come and go

    def _on_announcement(self, message: Message, fd: Optional[int]) -> None:
        assert fd is not None
        front = Front(int(message["front"]), int(message["number"]))
        front.channel = Channel(
            socket.socket(fileno=fd),
            f"front {front.pid}",
            lambda message, fd: self._on_message(front, message),
            lambda: self._lose(front),
        )
        self._fronts[front.pid] = front
        for known in self._pools.values():
            self._send_pool(front, known)
            for digest, certain in known.pool.quarantine.known():
                front.channel.send(_quarantined(known.number, digest, certain))
        for pool, worker in self._workers.values():
            self._introduce(front, pool, worker)
        front.channel.send({"what": "access", "access": access_to_wire(self._settings)})
        for known_model in self._models.everything():
            front.channel.send(known_model)
        if self._stopping or self._open:
            front.channel.send({"what": "stop" if self._stopping else "begin"})

    def open(self) -> None:
        """Let fronts accept connections, where they wait for it."""
        if not self._open:
            self._open = True
            self._send_all({"what": "begin"})

    def _on_forker_end(self) -> None:
        if not self._stopping:
            logger.error("the process that starts fronts has ended, and every front with it")
            self.failed.set()

    def _lose(self, front: Front) -> None:
        """A front has ended: what it was asked for it will not do, what it left is looked at."""
        front.channel.close()
        del self._fronts[front.pid]
        logger.info("front %s has ended", front.pid)
        for waits in self._waits.values():
            _resolve(waits.get(front.pid))
        if not self._stopping:
            for pool, worker in self._workers.values():
                self._check_later(pool, worker)

    def _check_later(self, pool: Pool, worker: WorkerProcess) -> None:
        """A request of a front that has ended may run there, and nobody judges its deadline."""
        deadline = pool.config.deadline
        if deadline is not None and pool.room[1] == 1:
            worker.expect_reading(deadline + 1.0)

    # What fronts say

    def _on_message(self, front: Front, message: Message) -> None:
        front.heard = time.monotonic()
        what = message["what"]
        if what in ("drained", "retired"):
            _resolve(self._waits.get(f"{what} {message['number']}", {}).get(front.pid))
        elif what == "counts":
            self._on_counts(front, message)
        elif what == "quarantine":
            self._on_quarantine(front, message)
        else:
            self._act(what, message)

    def _on_counts(self, front: Front, message: Message) -> None:
        """The rise of its counters since the last time, and what it holds now."""
        self._metrics.add_wire(message["counted"])
        front.busy = {int(number): int(busy) for number, busy in message["busy"].items()}
        used = {self._pools[n].pool.name for n, busy in front.busy.items() if n in self._pools}
        for name in used & self._host.models.keys():
            self._host.models[name].last_used = front.heard

    def _on_quarantine(self, front: Front, message: Message) -> None:
        """What one has found, the others need not find again."""
        known = self._pools.get(int(message["pool"]))
        if known is not None:
            known.pool.quarantine.learn(bytes.fromhex(message["digest"]), bool(message["certain"]))
            self._send_all(message, but=front)

    def _act(self, what: str, message: Mapping[str, Any]) -> None:
        """Do for a front what only the parent of a worker can."""
        pool, worker = self._workers.get(int(message["worker"]), (None, None))
        if pool is None or worker is None:
            return
        if what == "interrupt":
            worker.interrupt(int(message["id"]))
        elif what == "end_hung" and pool.room[1] > 1:
            self._end_shared(worker)
        elif what == "end_hung":
            worker.end_hung()
        elif what == "kill":
            worker.kill()

    def _end_shared(self, worker: WorkerProcess) -> None:
        """End a worker that has nothing but hung requests of one front, once others leave it."""
        if worker.pid in self._ending:
            return

        async def end() -> None:
            await self.retire(worker)
            worker.end_hung()

        task = self._ending[worker.pid] = self._loop.create_task(end())
        task.add_done_callback(lambda _: self._ending.pop(worker.pid))

    # All of them

    def _sweep(self, now: float) -> None:
        self._send_models()
        if now - self._swept > STALLED:
            for front in self._fronts.values():
                front.heard = now
        self._swept = now
        for front in self._fronts.values():
            if now - front.heard > SILENT:
                front.heard = now
                front.kill(f"has said nothing for {SILENT:g} s")
            elif front.channel.waiting > MOST_WAITING:
                front.kill("reads no messages")

    def renew(self, settings: ServerSettings) -> None:
        """Send every front, and those to come, the new keys and certificates."""
        self._settings = settings
        self._send_all({"what": "access", "access": access_to_wire(settings)})

    def _send_all(self, message: Mapping[str, Any], but: Optional[Front] = None) -> None:
        for front in self._fronts.values():
            if front is not but:
                front.channel.send(message)

    def _send_models(self) -> None:
        for message in self._models.changes(self._host.models):
            self._send_all(message)

    async def stop(self) -> None:
        """Have every front answer what it accepted, and end; those that do not are killed."""
        self._stopping = True
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._forker.pid, signal.SIGTERM)  # no more of them
        self._send_all({"what": "stop"})
        until = time.monotonic() + self._settings.grace + ENDING
        while self._fronts and time.monotonic() < until:
            await asyncio.sleep(0.02)
        for front in list(self._fronts.values()):
            front.kill("does not end")
        while self._fronts:
            await asyncio.sleep(0.02)
        self._announcements.close()
        await asyncio.to_thread(os.waitpid, self._forker.pid, 0)

    def busy(self, model: str) -> int:
        """Requests of a model that fronts have accepted and not yet answered."""
        return sum(
            busy
            for front in self._fronts.values()
            for number, busy in front.busy.items()
            if number in self._pools and self._pools[number].pool.name == model
        )

    # What the pools say

    def pool_made(self, pool: Pool) -> Optional[SharedCount]:
        """Give a new pool a number, and the cell for how many of its requests wait."""
        number = next(self._numbers)
        try:
            cell: Optional[int] = self._counts.take()
        except IndexError:  # each process then has the limit for itself
            cell = None
        known = self._pools[number] = _Pool(pool, number, cell)
        self._pool_numbers[id(pool)] = number
        for front in self._fronts.values():
            self._send_pool(front, known)
        return None if cell is None else self._counts.count(cell, self._counts.writers - 1)

    def pool_ended(self, pool: Pool) -> None:
        """Have fronts fail what they still hold for it, and use its number and cell no more."""
        number = self._pool_numbers.pop(id(pool), None)
        if number is None:
            return
        known = self._pools.pop(number)
        self._send_all({"what": "pool_ended", "pool": number})
        if known.cell is not None:
            self._counts.give_back(known.cell)

    def _send_pool(self, front: Front, known: _Pool) -> None:
        config = config_to_wire(known.pool.config)
        about = {"pool": known.number, "cell": known.cell, "cost": known.cost}
        front.channel.send({"what": "pool", "config": config, **about})

    def cost_changed(self, pool: Pool, cost: Cost) -> None:
        """Let fronts know what calls of the model cost, when that is other than before."""
        known = self._pools.get(self._pool_numbers.get(id(pool), 0))
        if known is not None and known.cost != cost:
            known.cost = cost
            self._send_all({"what": "cost", "pool": known.number, "cost": cost})

    def worker_up(self, pool: Pool, worker: WorkerProcess) -> None:
        """Give a new worker to every front."""
        number = next(self._numbers)
        self._workers[number] = (pool, worker)
        self._worker_numbers[worker.pid] = number
        pool.quarantine.on_added = lambda digest, certain: self._send_all(
            _quarantined(self._pool_numbers.get(id(pool), 0), digest, certain)
        )
        for front in self._fronts.values():
            self._introduce(front, pool, worker)
        self._send_models()

    def _introduce(self, front: Front, pool: Pool, worker: WorkerProcess) -> None:
        ours, theirs = socket.socketpair()
        message = {
            "what": "up",
            "worker": self._worker_numbers[worker.pid],
            "pid": worker.pid,
            "pool": self._pool_numbers[id(pool)],
            "descriptors": worker.descriptors,
            "room": pool.room,
        }
        worker.attach(theirs)
        front.channel.send(message, ours.fileno())
        ours.close()
        theirs.close()

    def worker_down(self, pool: Pool, worker: WorkerProcess, crash: WorkerCrashed) -> None:
        """Let every front know that a worker has ended, and how."""
        number = self._worker_numbers.pop(worker.pid, None)
        if number is not None:
            del self._workers[number]
            self._send_all({"what": "down", "worker": number, "error": to_wire(crash)})

    async def drain(self, pool: Pool) -> None:
        """Return when no front has a request for this pool any more."""
        self._send_models()
        await self._ask("drain", "drained", self._pool_numbers.get(id(pool), 0))

    async def retire(self, worker: WorkerProcess) -> None:
        """Have no front send to this worker; return when none waits for it."""
        await self._ask("retire", "retired", self._worker_numbers.get(worker.pid, 0))

    async def _ask(self, what: str, reply: str, number: int) -> None:
        key = f"{reply} {number}"
        if key in self._waits:  # asked already
            await _all(self._waits[key].values())
            return
        waits = self._waits[key] = {pid: self._loop.create_future() for pid in self._fronts}
        try:
            self._send_all({"what": what, "number": number})
            await _all(waits.values())
        finally:
            del self._waits[key]


def _quarantined(pool: int, digest: bytes, certain: bool) -> Message:
    return {"what": "quarantine", "pool": pool, "digest": digest.hex(), "certain": certain}


def _resolve(future: Optional[asyncio.Future[None]]) -> None:
    if future is not None and not future.done():
        future.set_result(None)


async def _all(futures: Any) -> None:
    waiting: List[asyncio.Future[None]] = list(futures)
    if waiting:
        await asyncio.wait(waiting)

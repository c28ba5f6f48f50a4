"""The supervisor's side of several fronts: starts them, hands them workers, acts for them.

Fronts are forked by a small process of their own, made before the supervisor has an event loop:
it forks another when one dies. Each front has a channel to the supervisor, over which it is told
of models and workers.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Mapping, Optional

from polyhost.errors import WorkerCrashed, to_wire
from polyhost.host.balance import Cost
from polyhost.host.host import Host
from polyhost.host.pool import Pool
from polyhost.host.process import WorkerProcess
from polyhost.host.shared_counts import SharedCount
from polyhost.server.credentials import access_to_wire
from polyhost.server.fronts.channel import Channel
from polyhost.server.fronts.front_state import model_to_wire, state_to_wire
from polyhost.server.watch.exposition import Family, families_from_wire
from polyhost.settings import ServerSettings
from polyhost.wire import linux

log = logging.getLogger(__name__)

Serve = Callable[[ServerSettings, socket.socket, Channel], int]
"""What a front runs: it returns its exit code once it was told to stop."""


@dataclass(frozen=True)
class Forker:
    """The process that forks fronts, and the channel to it."""

    pid: int
    channel: Channel


def fork_fronts(settings: ServerSettings, sock: socket.socket, serve: Serve) -> Forker:
    """Start the process that forks fronts; it announces each of them on its channel.

    Must be called while this process has one thread and no event loop.
    """
    ours, theirs = Channel.pair()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            ours.close()
            linux.die_with_parent()
            if os.getppid() == parent:
                code = _fork_for_ever(settings, sock, serve, theirs)
        finally:
            os._exit(code)
    theirs.close()
    return Forker(pid, ours)


def _fork_for_ever(
    settings: ServerSettings, sock: socket.socket, serve: Serve, channel: Channel
) -> int:
    """Keep as many fronts as were asked for, until the supervisor says stop (SIGTERM)."""
    stopping: List[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: stopping.append(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    alive = {_fork_front(settings, sock, serve, channel) for _ in range(settings.fronts)}
    while alive:
        try:
            pid, _ = os.wait()
        except InterruptedError:
            continue
        alive.discard(pid)
        if not stopping:
            alive.add(_fork_front(settings, sock, serve, channel))
    return 0


def _fork_front(
    settings: ServerSettings, sock: socket.socket, serve: Serve, channel: Channel
) -> int:
    ours, theirs = Channel.pair()
    forker = os.getpid()
    pid = os.fork()
    if pid:
        theirs.close()
        channel.send({"front": pid}, ours.sock.fileno())
        ours.close()
        return pid
    code = 1
    try:
        ours.close()
        channel.close()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        linux.die_with_parent()
        if os.getppid() == forker:
            code = serve(settings, sock, theirs)
    finally:
        os._exit(code)


class Fronts:
    """All fronts of a supervisor; watches its pools for them."""

    def __init__(self, host: Host, forker: Forker) -> None:
        self._host = host
        self._forker = forker
        self._fronts: Dict[int, Channel] = {}
        self._workers: Dict[int, tuple[Pool, WorkerProcess]] = {}
        self._numbers: Dict[int, Pool] = {}
        self._waits: Dict[str, Dict[int, asyncio.Future[None]]] = {}
        self._access: Optional[Dict[str, Any]] = None
        self._ending: Dict[int, asyncio.Task[None]] = {}
        self._states: List[Dict[str, Any]] = []
        self._snapshots: Dict[int, List[Family]] = {}
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(forker.channel.sock.fileno(), self._on_forker)
        host.watcher = self
        host.on_change.append(self._tell_states)
        host.on_sweep.append(lambda now: self._tell_states())

    # Fronts that come and go

    def _on_forker(self) -> None:
        message, fd = self._forker.channel.receive()
        if message is None or fd is None:
            self._loop.remove_reader(self._forker.channel.sock.fileno())
            return
        pid = int(message["front"])
        channel = Channel(socket.socket(fileno=fd))
        self._fronts[pid] = channel
        self._loop.add_reader(fd, self._on_front, pid, channel)
        for pool, worker in self._workers.values():
            self._introduce(channel, pool, worker)
        if self._access is not None:
            channel.send({"access": self._access})
        channel.send({"models": self._states})

    def _on_front(self, pid: int, channel: Channel) -> None:
        while True:
            try:
                message, _ = channel.receive()
            except BlockingIOError:
                return
            if message is None:
                self._lose(pid, channel)
                return
            self._on_message(pid, message)

    def _lose(self, pid: int, channel: Channel) -> None:
        self._loop.remove_reader(channel.sock.fileno())
        channel.close()
        del self._fronts[pid]
        self._snapshots.pop(pid, None)
        log.info("front %s has ended", pid)
        for waits in self._waits.values():
            future = waits.get(pid)
            if future is not None and not future.done():
                future.set_result(None)

    def _on_message(self, pid: int, message: Mapping[str, Any]) -> None:
        for word in ("drained", "retired"):
            if word in message:
                future = self._waits.get(f"{word} {message[word]}", {}).get(pid)
                if future is not None and not future.done():
                    future.set_result(None)
                return
        if "families" in message:
            self._snapshots[pid] = families_from_wire(message["families"])
            return
        if "killer" in message:  # what one has found, the others need not find again
            for other, channel in self._fronts.items():
                if other != pid:
                    channel.send(dict(message))
            return
        word = next(iter(message))
        pool, worker = self._workers.get(int(message[word]), (None, None))
        if pool is None or worker is None:
            return
        if word == "interrupt":
            worker.interrupt(int(message["id"]))
        elif word == "end_hung" and pool.room[1] > 1:
            self._end_shared(worker)
        elif word == "end_hung":
            worker.end_hung()
        elif word == "kill":
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

    @property
    def snapshots(self) -> List[List[Family]]:
        """What each front has counted, as it last said."""
        return list(self._snapshots.values())

    def renew(self, settings: ServerSettings) -> None:
        """Tell every front, and those to come, of new keys and certificates."""
        self._access = access_to_wire(settings)
        for channel in self._fronts.values():
            channel.send({"access": self._access})

    async def stop(self) -> None:
        """Have every front answer what it accepted, and end."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._forker.pid, signal.SIGTERM)  # no more of them
        for channel in self._fronts.values():
            channel.send({"stop": True})
        while self._fronts:
            await asyncio.sleep(0.02)
        await asyncio.to_thread(os.waitpid, self._forker.pid, 0)

    # What the pools say

    def pool_made(self, pool: Pool) -> Optional[SharedCount]:
        """A pool begins."""
        return None

    def pool_ended(self, pool: Pool) -> None:
        """A pool has stopped."""

    def cost_changed(self, pool: Pool, cost: Cost) -> None:
        """Workers have reported what their calls take."""

    def worker_up(self, pool: Pool, worker: WorkerProcess) -> None:
        """Give a new worker to every front."""
        self._workers[worker.pid] = (pool, worker)
        self._numbers[id(pool)] = pool
        for channel in self._fronts.values():
            self._introduce(channel, pool, worker)
        self._tell_states()

    def _introduce(self, channel: Channel, pool: Pool, worker: WorkerProcess) -> None:
        ours, theirs = socket.socketpair()
        message = {
            "up": worker.pid,
            "pool": id(pool),
            "model": model_to_wire(pool.model),
            "descriptors": worker.descriptors,
            "room": pool.room,
        }
        worker.attach(theirs)
        channel.send(message, ours.fileno())
        ours.close()
        theirs.close()

    def worker_down(self, pool: Pool, worker: WorkerProcess, crash: WorkerCrashed) -> None:
        """Tell every front that a worker has ended, and how."""
        self._workers.pop(worker.pid, None)
        for channel in self._fronts.values():
            channel.send({"down": worker.pid, "error": to_wire(crash)})

    async def drain(self, pool: Pool) -> None:
        """Return when no front has a request for this pool any more."""
        self._tell_states()
        await self._ask("drain", "drained", id(pool))
        self._numbers.pop(id(pool), None)

    async def retire(self, worker: WorkerProcess) -> None:
        """Have no front send to this worker; return when none waits for it."""
        await self._ask("retire", "retired", worker.pid)

    async def _ask(self, word: str, reply: str, number: int) -> None:
        key = f"{reply} {number}"
        if key in self._waits:  # asked already
            await asyncio.wait(self._waits[key].values())
            return
        waits = self._waits[key] = {pid: self._loop.create_future() for pid in self._fronts}
        try:
            for pid in tuple(waits):
                self._fronts[pid].send({word: number})
            if waits:
                await asyncio.wait(waits.values())
        finally:
            del self._waits[key]

    def _tell_states(self) -> None:
        states = [
            state_to_wire(model, 0 if model.active_pool is None else id(model.active_pool))
            for model in self._host.models.values()
        ]
        if states != self._states:
            self._states = states
            for channel in self._fronts.values():
                channel.send({"models": states})

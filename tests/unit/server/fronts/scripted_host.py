"""A supervisor with scripted pools and workers, and fronts that it reaches over real channels."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from polyhost.data.target import Target, TargetType
from polyhost.host.host import Host
from polyhost.host.observers import NOBODY
from polyhost.host.pool import Pool, State
from polyhost.host.process import WorkerProcess
from polyhost.host.quarantine import Quarantine
from polyhost.host.shared_counts import SharedCounts
from polyhost.predictor import ColumnInfo, GuestInfo, ModelInfo, ModelSpec
from polyhost.server.fronts.channel import Channel, Message, encode
from polyhost.server.fronts.forker import Forker
from polyhost.server.fronts.front_state import FrontHost
from polyhost.server.fronts.supervisor import Fronts
from polyhost.server.watch.metrics import Metrics
from polyhost.settings import ModelConfig, ServerSettings
from polyhost.wire import descriptors

SETTINGS = replace(ServerSettings(), fronts=2)
META = b'{"op":"predict"}'
TARGET = Target(TargetType.REGRESSION)


class FakePool:
    def __init__(self, model: ModelConfig) -> None:
        self.config = model
        self.name = model.name
        self.room = (1, 1)
        self.quarantine = Quarantine()


class FakeModel:
    """A slot of the host, set by hand."""

    def __init__(self, name: str = "m", **options: Any) -> None:
        self.config = ModelConfig(name, ModelSpec(Path("/m"), "python", TARGET), **options)
        self.info: ModelInfo | None = None
        self.state = State.LOADING
        self.reason: Any = None
        self.active_pool: FakePool | None = None
        self.last_used = 0.0

    def load(self) -> FakePool:
        guest = GuestInfo(columns=(ColumnInfo("a", "number", True),))
        self.info = ModelInfo("python", TARGET, hooks=(), guest=guest, batchable=False)
        self.state = State.READY
        self.active_pool = FakePool(self.config)
        return self.active_pool


class FakeWorker:
    descriptors = True

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.sockets: list[socket.socket] = []
        self.calls: list[Any] = []

    def attach(self, sock: socket.socket) -> None:
        self.sockets.append(sock.dup())

    def interrupt(self, id: int) -> None:
        self.calls.append(("interrupt", id))

    def end_hung(self) -> None:
        self.calls.append("end_hung")

    def kill(self) -> None:
        self.calls.append("kill")

    def expect_reading(self, within: float) -> None:
        self.calls.append(("expect_reading", within))

    def close(self) -> None:
        for sock in self.sockets:
            sock.close()


class FakeHost:
    def __init__(self) -> None:
        self.models: dict[str, FakeModel] = {}
        self.watcher: Any = None
        self.on_change: list[Callable[[], None]] = []
        self.on_sweep: list[Callable[[float], None]] = []

    def change(self) -> None:
        for tell in self.on_change:
            tell()

    def sweep(self, now: float) -> None:
        for part in self.on_sweep:
            part(now)


class Heard:
    """A front: its half of the channel over a real FrontHost, and all that it was sent."""

    def __init__(self, sock: socket.socket, counts: SharedCounts, number: int) -> None:
        self.messages: list[Message] = []
        self.ended = False
        self.channel = Channel(sock, "supervisor", self._on_message, self._on_end)
        self.host = FrontHost(self.channel.send, lambda model: NOBODY, counts, number)

    def _on_message(self, message: Message, fd: int | None) -> None:
        self.messages.append(message)
        if message["what"] not in ("begin", "stop", "access"):
            self.host.on_message(message, fd)

    def _on_end(self) -> None:
        self.ended = True

    def of(self, what: str) -> list[Message]:
        return [message for message in self.messages if message["what"] == what]


class World:
    """A supervisor, and the fronts that were announced to it."""

    def __init__(self) -> None:
        self.counts = SharedCounts(writers=3)
        ours, self.announcements = socket.socketpair()
        self.host = FakeHost()
        self.metrics = Metrics()
        self.fronts = Fronts(
            cast(Host, self.host), Forker(0, ours), SETTINGS, self.counts, self.metrics
        )
        self.heard: list[Heard] = []
        self.workers: list[FakeWorker] = []

    async def front(self, pid: int = 0) -> Heard:
        """Announce a front; it has heard everything when this returns."""
        number = len(self.heard)
        ours, theirs = socket.socketpair()
        (data,) = encode({"front": pid or 900_000 + number, "number": number}, with_fd=True)
        descriptors.send(self.announcements, data, [ours.fileno()])
        ours.close()
        heard = Heard(theirs, self.counts, number)
        self.heard.append(heard)
        await until(lambda: heard.of("begin"))
        return heard

    def model(self, name: str = "m", **options: Any) -> FakeModel:
        model = self.host.models[name] = FakeModel(name, **options)
        self.host.change()
        return model

    def ready(self, model: FakeModel) -> tuple[FakePool, FakeWorker]:
        """Load a model; its pool and its worker."""
        pool = model.load()
        self.fronts.pool_made(cast(Pool, pool))
        worker = FakeWorker(1000 + len(self.workers))
        self.workers.append(worker)
        self.fronts.worker_up(cast(Pool, pool), cast(WorkerProcess, worker))
        return pool, worker

    def close(self) -> None:
        for heard in self.heard:
            for number in list(heard.host._pools):
                heard.host._forget(number)
            heard.channel.close()
        for front in list(self.fronts._fronts.values()):
            front.channel.close()
        self.fronts._announcements.close()
        self.announcements.close()
        for worker in self.workers:
            worker.close()


async def until(look: Callable[[], Any]) -> Any:
    """Turn the loop until it is so."""
    limit = time.monotonic() + 20
    while not (found := look()):
        assert time.monotonic() < limit
        await asyncio.sleep(0)
    return found


async def loaded(heard: Heard) -> None:
    """The front knows model ``m`` as one that can answer."""
    await until(lambda: "m" in heard.host.models and heard.host.models["m"].any_ready)


async def settled(world: World) -> None:
    """All that was sent to fronts before this has been heard."""
    marks = [len(heard.of("cost")) for heard in world.heard]
    world.fronts._send_all({"what": "cost", "pool": 0, "cost": [0, 0]})
    for heard, mark in zip(world.heard, marks, strict=True):
        await until(lambda heard=heard, mark=mark: len(heard.of("cost")) > mark)


def with_world(scenario: Callable[[World], Awaitable[None]]) -> None:
    async def main() -> None:
        world = World()
        try:
            await asyncio.wait_for(scenario(world), 60)
        finally:
            world.close()

    before = len(os.listdir("/proc/self/fd"))
    asyncio.run(main())
    assert len(os.listdir("/proc/self/fd")) == before

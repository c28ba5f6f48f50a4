"""A front: a process that serves clients, with sockets of its own to every worker.

It answers predictions itself, over the same dispatcher that the supervisor would use. Everything
else (probes, metrics, documents, the admin API) it passes on to the supervisor. Who lives and who
answers, it is told; it judges deadlines, and asks the supervisor to act.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from dataclasses import asdict
from typing import Any, Callable, Dict, List, Mapping, Optional

from polyhost.errors import PolyhostError, WorkerCrashed, WorkerNotReady, from_wire, to_wire
from polyhost.host.dispatcher import Dispatcher
from polyhost.host.observers import ModelObserver
from polyhost.host.pool import State
from polyhost.host.replica import Replica
from polyhost.host.request import Body, Pending, Waiter
from polyhost.host.sender import Sender
from polyhost.predictor import ModelInfo
from polyhost.settings import Batching, HostedModel, Limits
from polyhost.wire import descriptors, frames
from polyhost.wire.frames import Parser, ProtocolError
from polyhost.wire.messages import info_from_wire, info_to_wire, spec_from_wire, spec_to_wire

log = logging.getLogger(__name__)

Ask = Callable[[Mapping[str, Any]], None]
READ = 1 << 18


class FrontLink:
    """A front's own data socket to a worker. What only the parent can do, the supervisor is asked."""

    def __init__(
        self,
        worker: int,
        sock: socket.socket,
        descriptors: bool,
        ask: Ask,
        on_frames: Callable[[List[frames.Frame]], None],
    ) -> None:
        self.worker = worker
        self.descriptors = descriptors
        self._sock = sock
        self._ask = ask
        self._on_frames = on_frames
        self._parser = Parser()
        self._loop = asyncio.get_running_loop()
        sock.setblocking(False)
        self._sender = Sender(sock, self._loop, f"worker {worker}")
        self._loop.add_reader(sock.fileno(), self._on_data)

    def send(self, data: bytes, fd: Optional[int] = None) -> None:
        """Queue a frame."""
        self._sender.send(data, fd)

    def _on_data(self) -> None:
        try:
            data, fds = descriptors.receive(self._sock, READ)
            found = self._parser.feed(data, fds) if data else []
            if found:
                self._on_frames(found)
        except BlockingIOError:
            return
        except (OSError, ProtocolError) as error:
            log.error("worker %s broke the protocol: %s", self.worker, error)
            self._loop.remove_reader(self._sock.fileno())
            self._ask({"kill": self.worker})
            return
        if not data:
            self._loop.remove_reader(self._sock.fileno())

    def interrupt(self, id: int) -> None:
        """Have the supervisor interrupt it."""
        self._ask({"interrupt": self.worker, "id": id})

    def end_hung(self) -> None:
        """Have the supervisor end it."""
        self._ask({"end_hung": self.worker})

    def close(self) -> None:
        """Read what the worker still said, then close."""
        self._on_data()
        self._loop.remove_reader(self._sock.fileno())
        self._sender.close()
        self._parser.close()
        self._sock.close()


class FrontPool:
    """One version's workers, as this front sees them."""

    def __init__(self, name: str, hosted: HostedModel, observer: ModelObserver) -> None:
        self.replicas: Dict[int, Replica] = {}
        self.dispatcher = Dispatcher(
            name,
            max_queue=hosted.limits.max_queue,
            deadline=hosted.deadline,
            observer=observer,
            first_id=(os.getpid() << 32) + 1,
        )


class FrontModel:
    """A model that the supervisor holds; has what the routes of a model ask for."""

    def __init__(self, name: str, hosted: HostedModel) -> None:
        self.name = name
        self.model = hosted
        self.state = State.LOADING
        self.reason: Optional[PolyhostError] = None
        self.info: Optional[ModelInfo] = None
        self.active: Optional[FrontPool] = None
        self.pools: Dict[int, FrontPool] = {}
        self.workers: List[Any] = []

    @property
    def any_ready(self) -> bool:
        """Some replica can answer now."""
        return self.state in (State.READY, State.DEGRADED)

    def submit(
        self, meta: bytes, body: Body, retry: bool, waiter: Optional[Waiter] = None
    ) -> Pending:
        """Accept a request for the version that answers now."""
        if self.active is None or not self.any_ready:
            if self.reason is not None:
                raise WorkerNotReady(
                    f"model {self.name!r} failed to load: {self.reason.message}",
                    cause=self.reason.kind,
                )
            raise WorkerNotReady(f"model {self.name!r} is {self.state.value}", retry_after=1)
        return self.active.dispatcher.submit(meta, body, retry, waiter)

    def cancel(self, pending: Pending) -> None:
        """The client has gone away."""
        for pool in self.pools.values():
            if pool.dispatcher.cancel(pending):
                return


def model_to_wire(hosted: HostedModel) -> Dict[str, Any]:
    """What a front needs to know of a model."""
    return {
        "name": hosted.name,
        "spec": spec_to_wire(hosted.spec),
        "limits": asdict(hosted.limits),
        "batching": asdict(hosted.batching),
        "workers": hosted.workers,
        "version": hosted.version,
    }


def model_from_wire(wire: Mapping[str, Any]) -> HostedModel:
    """The model that a supervisor described."""
    return HostedModel(
        wire["name"],
        spec_from_wire(wire["spec"]),
        workers=wire["workers"],
        limits=Limits(**wire["limits"]),
        batching=Batching(**wire["batching"]),
        version=wire["version"],
    )


def state_to_wire(model: Any, pool: int) -> Dict[str, Any]:
    """How a model is now: its state, and which pool answers."""
    return {
        "model": model_to_wire(model.model),
        "state": model.state.value,
        "reason": None if model.reason is None else to_wire(model.reason),
        "info": None if model.info is None else info_to_wire(model.info),
        "pool": pool,
    }


class FrontHost:
    """What a front holds: models as the supervisor tells of them."""

    def __init__(self, ask: Ask, observe: Callable[[HostedModel], ModelObserver]) -> None:
        self.models: Dict[str, FrontModel] = {}
        self.on_change: List[Callable[[], None]] = []
        self._ask = ask
        self._observe = observe
        self._pools: Dict[int, FrontPool] = {}
        self._links: Dict[int, FrontLink] = {}
        self._draining: Dict[int, FrontPool] = {}
        self._retiring: Dict[int, Replica] = {}

    def on_message(self, message: Mapping[str, Any], fd: Optional[int]) -> None:
        """The supervisor says something."""
        if "models" in message:
            self._on_models(message["models"])
        elif "up" in message and fd is not None:
            self._on_up(message, socket.socket(fileno=fd))
        elif "down" in message:
            self._on_down(message)
        elif "drain" in message:
            pool = self._pools.get(message["drain"])
            if pool is None:
                self._ask({"drained": message["drain"]})
            else:
                self._draining[message["drain"]] = pool
        elif "killer" in message:
            pool = self._pools.get(message["pool"])
            if pool is not None:
                digest = bytes.fromhex(message["killer"])
                pool.dispatcher.killers.learn(digest, message["guilty"])
        elif "retire" in message:
            self._on_retire(message["retire"])

    def _on_models(self, states: List[Dict[str, Any]]) -> None:
        seen = set()
        for wire in states:
            hosted = model_from_wire(wire["model"])
            seen.add(hosted.name)
            model = self.models.get(hosted.name)
            if model is None:
                model = self.models[hosted.name] = FrontModel(hosted.name, hosted)
            model.model = hosted
            model.state = State(wire["state"])
            model.reason = None if wire["reason"] is None else from_wire(wire["reason"])
            model.info = None if wire["info"] is None else info_from_wire(wire["info"])
            model.active = self._pools.get(wire["pool"])
            if model.active is not None:
                model.pools[wire["pool"]] = model.active
        for name in set(self.models) - seen:
            del self.models[name]
        for tell in self.on_change:
            tell()

    def _on_up(self, message: Mapping[str, Any], sock: socket.socket) -> None:
        hosted = model_from_wire(message["model"])
        pool = self._pools.get(message["pool"])
        if pool is None:
            pool = self._make_pool(message["pool"], hosted)
        replica = Replica()
        dispatcher = pool.dispatcher
        link = FrontLink(
            message["up"],
            sock,
            message["descriptors"],
            self._ask,
            lambda found: dispatcher.on_frames(replica, found),
        )
        replica.link, replica.ready, replica.begins = link, True, True
        self._links[message["up"]] = link
        pool.replicas[message["up"]] = replica
        dispatcher.suit(*message["room"])
        dispatcher.replicas.append(replica)
        dispatcher.dispatch()

    def _make_pool(self, number: int, hosted: HostedModel) -> FrontPool:
        pool = self._pools[number] = FrontPool(hosted.name, hosted, self._observe(hosted))

        def tell(digest: bytes, guilty: bool) -> None:
            self._ask({"killer": digest.hex(), "guilty": guilty, "pool": number})

        pool.dispatcher.killers.tell = tell
        return pool

    def _on_down(self, message: Mapping[str, Any]) -> None:
        worker = message["down"]
        link = self._links.pop(worker, None)
        for pool in self._pools.values():
            replica = pool.replicas.pop(worker, None)
            if replica is not None:
                if link is not None:
                    link.close()
                crash = from_wire(message["error"])
                replica.ready = False
                if isinstance(crash, WorkerCrashed):
                    pool.dispatcher.on_death(replica, crash)
        if self._retiring.pop(worker, None) is not None:
            self._ask({"retired": worker})

    def _on_retire(self, worker: int) -> None:
        for pool in self._pools.values():
            replica = pool.replicas.get(worker)
            if replica is not None:
                replica.retiring = True
                self._retiring[worker] = replica
                return
        self._ask({"retired": worker})

    def sweep(self, now: float) -> None:
        """Judge deadlines, and tell the supervisor what has drained."""
        for pool in self._pools.values():
            pool.dispatcher.sweep(now)
        for worker, replica in list(self._retiring.items()):
            if replica.hung.issuperset(replica.inflight):
                del self._retiring[worker]
                self._ask({"retired": worker})
        for number, pool in list(self._draining.items()):
            if not pool.dispatcher.busy:
                del self._draining[number]
                self._ask({"drained": number})
                self._forget(number)

    def _forget(self, number: int) -> None:
        pool = self._pools.pop(number, None)
        if pool is None:
            return
        for model in self.models.values():
            model.pools.pop(number, None)
        for worker in pool.replicas:
            link = self._links.pop(worker, None)
            if link is not None:
                link.close()

    @property
    def busy(self) -> int:
        """Requests accepted and not yet answered."""
        return sum(pool.dispatcher.busy for pool in self._pools.values())

"""What a front knows: models as the supervisor describes them, and its own sockets to their workers.

It answers predictions itself, over the same dispatcher that the supervisor would use. Which workers
live and which version answers, the supervisor says; the front judges deadlines of its requests, and
asks the supervisor to act.
"""

from __future__ import annotations

import logging
import os
import socket
from typing import Any, Callable, Dict, List, Optional, Sequence

from polyhost.errors import PolyhostError, WorkerCrashed, WorkerNotReady, from_wire
from polyhost.host.balance import Cost
from polyhost.host.dispatcher import Dispatcher
from polyhost.host.observers import ModelObserver
from polyhost.host.pool import State
from polyhost.host.replica import Replica
from polyhost.host.request import Body, Pending, Waiter
from polyhost.host.shared_counts import SharedCount, SharedCounts
from polyhost.predictor import ModelInfo
from polyhost.server.fronts.channel import Message
from polyhost.server.fronts.front_link import Ask, FrontLink
from polyhost.server.fronts.messages import config_from_wire
from polyhost.settings import ModelConfig
from polyhost.wire.messages import info_from_wire

logger = logging.getLogger(__name__)


class FrontPool:
    """One version's workers, as this front sees them."""

    def __init__(
        self,
        number: int,
        config: ModelConfig,
        observer: ModelObserver,
        queued: Optional[SharedCount],
    ) -> None:
        self.number = number
        self.config = config
        self.replicas: Dict[int, Replica] = {}
        self.links: Dict[int, FrontLink] = {}
        self.dispatcher = Dispatcher(
            config.name,
            max_queue=config.limits.max_queue,
            deadline=config.deadline,
            observer=observer,
            first_id=(os.getpid() << 32) + 1,
            queued=queued,
        )
        self.cost: Cost = (0.0, 0.0)

    def use_cost(self, cost: Sequence[float]) -> None:
        """Balance replicas by what calls cost."""
        fixed, each = cost
        self.cost = (fixed, each)
        if self.dispatcher.balance is not None:
            self.dispatcher.balance.cost = self.cost

    def close(self) -> None:
        """Fail what still waits, and drop the sockets."""
        stopped = WorkerNotReady(f"model {self.config.name!r} was stopped")
        self.dispatcher.fail_all(stopped)
        for worker in list(self.links):
            self.lose(worker, WorkerCrashed(stopped.message))
        self.dispatcher.fail_all(stopped)

    def lose(self, worker: int, crash: PolyhostError) -> None:
        """A worker has ended."""
        link, replica = self.links.pop(worker), self.replicas.pop(worker)
        link.close()
        replica.ready = False
        if not isinstance(crash, WorkerCrashed):
            crash = WorkerCrashed(crash.message)
        self.dispatcher.on_death(replica, crash)


class FrontSlot:
    """A model that the supervisor holds; has what the routes of a model ask for."""

    def __init__(self, config: ModelConfig) -> None:
        self.name = config.name
        self.config = config
        self.state = State.LOADING
        self.reason: Optional[PolyhostError] = None
        self.info: Optional[ModelInfo] = None
        self.active: Optional[FrontPool] = None
        self.pools: Dict[int, FrontPool] = {}
        """Every version that may have a request of ours."""
        self.workers: List[Any] = []
        self.parked = False
        """A front does not answer for one that is: it has no version that answers."""

    @property
    def any_ready(self) -> bool:
        """Some replica can answer now."""
        return self.state in (State.READY, State.DEGRADED)

    def submit(
        self, meta: bytes, body: Body, retry: bool, waiter: Optional[Waiter] = None
    ) -> Pending:
        """Accept a request for the version that answers now."""
        if self.active is None or not self.any_ready:
            why = f"model {self.name!r} is {self.state.value}"
            if self.reason is not None:
                why = f"model {self.name!r} failed to load: {self.reason.message}"
            raise WorkerNotReady(why, retry_after=1)
        return self.active.dispatcher.submit(meta, body, retry, waiter)

    def cancel(self, pending: Pending) -> None:
        """The client has gone away."""
        for pool in self.pools.values():
            if pool.dispatcher.cancel(pending):
                return


class FrontHost:
    """What a front holds. ``on_change`` is called when its routes may be others than before."""

    def __init__(
        self,
        ask: Ask,
        observe: Callable[[ModelConfig], ModelObserver],
        counts: SharedCounts,
        number: int,
    ) -> None:
        self.models: Dict[str, FrontSlot] = {}
        self.on_change: List[Callable[[], None]] = []
        self._ask = ask
        self._observe = observe
        self._counts = counts
        self._number = number
        self._numbered: Dict[int, FrontSlot] = {}
        self._pools: Dict[int, FrontPool] = {}
        self._of_worker: Dict[int, FrontPool] = {}
        self._draining: Dict[int, FrontPool] = {}
        self._retiring: Dict[int, Replica] = {}
        self._handlers: Dict[str, Callable[[Message], None]] = {
            "model": self._on_model,
            "gone": self._on_gone,
            "pool": self._on_pool,
            "pool_ended": lambda message: self._forget(message["pool"]),
            "cost": self._on_cost,
            "down": self._on_down,
            "drain": self._on_drain,
            "retire": self._on_retire,
            "quarantine": self._on_quarantine,
        }

    def on_message(self, message: Message, fd: Optional[int]) -> None:
        """The supervisor says something."""
        if message["what"] == "up" and fd is not None:
            self._on_up(message, socket.socket(fileno=fd))
        else:
            self._handlers[message["what"]](message)

    # Models

    def _on_model(self, message: Message) -> None:
        """Take over the parts that have changed."""
        model = self._numbered.get(message["number"])
        before = None if model is None else (model.config, model.active)
        if "config" in message:
            config = config_from_wire(message["config"])
            if model is None:
                model = self._numbered[message["number"]] = FrontSlot(config)
                self.models[config.name] = model
            model.config = config
        assert model is not None
        if "info" in message:
            wire = message["info"]
            model.info = None if wire is None else info_from_wire(wire)
        if "reason" in message:
            wire = message["reason"]
            model.reason = None if wire is None else from_wire(wire)
        if "state" in message:
            model.state = State(message["state"])
        if "pool" in message:
            model.active = self._pools.get(message["pool"])
            if model.active is not None:
                model.pools[model.active.number] = model.active
        if before != (model.config, model.active) or "info" in message:
            self._changed()

    def _on_gone(self, message: Message) -> None:
        model = self._numbered.pop(message["number"])
        if self.models.get(model.name) is model:
            del self.models[model.name]
        self._changed()

    def _changed(self) -> None:
        for call in self.on_change:
            call()

    # Pools and workers

    def _on_pool(self, message: Message) -> None:
        config, cell = config_from_wire(message["config"]), message["cell"]
        queued = None if cell is None else self._counts.count(cell, self._number)
        number = message["pool"]
        pool = FrontPool(number, config, self._observe(config), queued)
        self._pools[number] = pool
        pool.dispatcher.quarantine.on_added = lambda digest, certain: self._ask(
            {"what": "quarantine", "digest": digest.hex(), "certain": certain, "pool": number}
        )
        pool.use_cost(message["cost"])

    def _on_cost(self, message: Message) -> None:
        pool = self._pools.get(message["pool"])
        if pool is not None:
            pool.use_cost(message["cost"])

    def _on_up(self, message: Message, sock: socket.socket) -> None:
        pool, worker = self._pools[message["pool"]], message["worker"]
        replica, dispatcher = Replica(), pool.dispatcher
        link = FrontLink(
            worker,
            message["pid"],
            sock,
            message["descriptors"],
            self._ask,
            lambda found: dispatcher.on_frames(replica, found),
        )
        replica.link, replica.ready, replica.begins = link, True, True
        pool.links[worker], pool.replicas[worker] = link, replica
        self._of_worker[worker] = pool
        dispatcher.set_room(*message["room"])
        pool.use_cost(pool.cost)
        dispatcher.replicas.append(replica)
        dispatcher.dispatch()

    def _on_down(self, message: Message) -> None:
        worker = message["worker"]
        pool = self._of_worker.pop(worker, None)
        if pool is not None:
            pool.lose(worker, from_wire(message["error"]))
        if self._retiring.pop(worker, None) is not None:
            self._ask({"what": "retired", "number": worker})

    def _on_quarantine(self, message: Message) -> None:
        pool = self._pools.get(message["pool"])
        if pool is not None:
            pool.dispatcher.quarantine.learn(bytes.fromhex(message["digest"]), message["certain"])

    def _on_drain(self, message: Message) -> None:
        number = message["number"]
        pool = self._pools.get(number)
        if pool is None:
            self._ask({"what": "drained", "number": number})
        else:
            self._draining[number] = pool

    def _on_retire(self, message: Message) -> None:
        worker = message["number"]
        pool = self._of_worker.get(worker)
        if pool is None:
            self._ask({"what": "retired", "number": worker})
            return
        replica = self._retiring[worker] = pool.replicas[worker]
        replica.retiring = True

    def _forget(self, number: int) -> None:
        pool = self._pools.pop(number, None)
        if pool is None:
            return
        for worker in pool.links:
            self._of_worker.pop(worker, None)
        pool.close()
        for model in self._numbered.values():
            model.pools.pop(number, None)
            if model.active is pool:
                model.active = None
                self._changed()

    # Watching

    def sweep(self, now: float) -> None:
        """Judge deadlines, and report what has drained. What fails for one stops no other."""
        for pool in self._pools.values():
            try:
                pool.dispatcher.sweep(now)
            except Exception:
                logger.exception("model %s: its requests could not be judged", pool.config.name)
        for worker, replica in list(self._retiring.items()):
            if replica.hung.issuperset(replica.inflight):
                del self._retiring[worker]
                self._ask({"what": "retired", "number": worker})
        for number, pool in list(self._draining.items()):
            if not pool.dispatcher.busy:
                del self._draining[number]
                self._ask({"what": "drained", "number": number})

    def busy_by_pool(self) -> Dict[int, int]:
        """Requests accepted and not yet answered, by the number of their pool where there are any."""
        found = {number: pool.dispatcher.busy for number, pool in self._pools.items()}
        return {number: busy for number, busy in found.items() if busy}

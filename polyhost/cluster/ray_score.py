"""``polyhost score --engine ray``: the workers of a run are actors of a Ray cluster.

An actor keeps the model loaded, in a worker of its own. The command reads the inputs, hands chunks to
actors that are free, and writes the answers in order, so that a run with Ray has the chunks, answers
and states of one without. A chunk is kept here until it is answered: where an actor or its node dies, it
goes to another one, and a new actor is asked for.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from polyhost.batch.engine import AHEAD, Reply
from polyhost.cluster.ray_files import RayShipment, relocated, ship
from polyhost.codecs import Request
from polyhost.errors import PolyhostError, WorkerCrashed, WorkerNotReady, from_wire, to_wire
from polyhost.predictor import ModelInfo, ModelSpec

logger = logging.getLogger(__name__)

TRIES = 5
"""Actors that one chunk is given to, and actors in a row that may die before they are ready."""
LONG = 60.0
"""Seconds without a ready actor after which the log says so."""
CARRIED = ("MLOPS_", "DATAROBOT_", "USER_SECRETS_", "TARGET_NAME")
"""Beginnings of variables that the command sets for a model, or passes on to it."""

Outcome = tuple[str, Any]
"""``ok`` and what was asked for, or ``error`` and an error in its tagged form."""


@dataclass(frozen=True)
class ActorModel:
    """What an actor loads: a model that was shipped, and variables for its worker."""

    spec: ModelSpec
    shipment: RayShipment
    environment: Mapping[str, str]


class ScoringActor:
    """A model in one process of the cluster, with a worker of its own."""

    def __init__(self, given: ActorModel) -> None:
        self._model: Any = None
        try:
            self._model = self._load(given)
            self._outcome: Outcome = ("ok", self._model.info)
        except PolyhostError as error:
            self._outcome = ("error", to_wire(error))

    def _load(self, given: ActorModel) -> Any:
        from polyhost.embed.worker_model import BackgroundModel, HostOptions

        spec = relocated(given.spec, given.shipment.folder())
        host = HostOptions(on_output=_to_stderr, environment=given.environment)
        return BackgroundModel(spec, None, 1, host)

    def describe(self) -> Outcome:
        """The model's info, or why it could not be loaded."""
        return self._outcome

    def score(self, request: Mapping[str, Any], pieces: Sequence[bytes], retry: bool) -> Outcome:
        """The answer to a request; a worker that is slow to start again is waited for."""
        asked = Request.from_wire(request)
        for tries_left in reversed(range(TRIES)):
            try:
                return "ok", self._model.submit(asked, pieces, retry).result()
            except WorkerNotReady as error:
                if not tries_left:
                    return "error", to_wire(error)
            except PolyhostError as error:
                return "error", to_wire(error)
        raise AssertionError("the last try returns")


def _to_stderr(_model: str, _stream: str, data: bytes, _pid: int, _request: str) -> None:
    """Ray prints it where the command runs; standard output may be the answers'."""
    sys.stderr.write(data.decode("utf-8", "replace"))
    sys.stderr.flush()


class RayModel:
    """A model behind actors, as :class:`polyhost.batch.engine.Workers` asks for it."""

    def __init__(self, start: Callable[[], Any], actors: int) -> None:
        self._start = start
        self._changed = threading.Condition()
        self._busy: dict[Any, int] = {}
        self._failure: PolyhostError | None = None
        self._died_early = 0
        self._closed = False
        self._info: ModelInfo | None = None
        self.workers = actors
        self._callers = ThreadPoolExecutor(AHEAD * actors + 1, "polyhost-ray")
        for _ in range(actors):
            self._add()

    @property
    def info(self) -> ModelInfo:
        """What the first actor that is ready says of the model."""
        return self.wait_ready()

    def wait_ready(self) -> ModelInfo:
        """Wait for an actor that can answer; raises what kept the model from being loaded."""
        with self._changed:
            while not self._changed.wait_for(lambda: self._info or self._failure, LONG):
                logger.warning(
                    "no actor is ready: the run waits for a CPU of the cluster to be free"
                )
            if self._info is None:
                assert self._failure is not None
                raise self._failure
            return self._info

    def submit(
        self, request: Request, pieces: Sequence[bytes], retry: bool = True
    ) -> Future[Reply]:
        """Have a body answered by the least busy actor."""
        whole = [bytes(piece) for piece in pieces]
        return self._callers.submit(self._ask, request.to_wire(), whole, retry)

    def close(self) -> None:
        """End the actors."""
        import ray

        with self._changed:
            self._closed = True
            actors, self._busy = list(self._busy), {}
        self._callers.shutdown(wait=False, cancel_futures=True)
        for actor in actors:
            ray.kill(actor)

    def _ask(self, request: Mapping[str, Any], pieces: list[bytes], retry: bool) -> Reply:
        import ray

        for _ in range(TRIES):
            actor = self._take()
            try:
                kind, found = ray.get(actor.score.remote(request, pieces, retry))
            except ray.exceptions.RayError as error:
                self._lose(actor, error)
                continue
            self._give_back(actor)
            if kind == "error":
                raise from_wire(found)
            reply: Reply = found
            return reply
        raise WorkerCrashed(f"{TRIES} actors died, or their nodes, while they had this chunk.")

    def _take(self) -> Any:
        """The ready actor with the least to do; waits for one."""
        with self._changed:
            while not self._changed.wait_for(
                lambda: self._free() or self._failure or self._closed, LONG
            ):
                logger.warning(
                    "no actor is ready: the run waits for a CPU of the cluster to be free"
                )
            free = self._free()
            if not free:
                raise self._failure or WorkerNotReady("the run has ended.")
            actor = min(free, key=lambda found: self._busy[found])
            self._busy[actor] += 1
            return actor

    def _free(self) -> list[Any]:
        """Ready actors that have room for a chunk: one that comes later finds work."""
        return [actor for actor, calls in self._busy.items() if calls < AHEAD]

    def _give_back(self, actor: Any) -> None:
        with self._changed:
            if actor in self._busy:
                self._busy[actor] -= 1
                self._changed.notify()

    def _lose(self, actor: Any, error: Exception) -> None:
        """An actor is gone: ask for another, once however many calls it had."""
        with self._changed:
            if self._busy.pop(actor, None) is None or self._closed:
                return
        logger.warning("an actor was lost (%s); another one takes its place", type(error).__name__)
        self._add()

    def _add(self) -> None:
        threading.Thread(target=self._await, args=(self._start(),), daemon=True).start()

    def _await(self, actor: Any) -> None:
        """Take an actor in when its model is loaded."""
        import ray

        try:
            kind, found = ray.get(actor.describe.remote())
        except ray.exceptions.RayError as error:
            self._died(error)
            return
        with self._changed:
            if kind == "error":
                self._failure = from_wire(found)
            elif self._closed:
                ray.kill(actor)
            else:
                self._info, self._died_early = found, 0
                self._busy[actor] = 0
            self._changed.notify_all()

    def _died(self, error: Exception) -> None:
        """An actor died before it was ready."""
        with self._changed:
            if self._closed:
                return
            self._died_early += 1
            if self._died_early >= TRIES:
                self._failure = WorkerCrashed(
                    f"{TRIES} actors in a row died before they were ready, the last with: {error}"
                )
                self._changed.notify_all()
                return
        self._add()


def open_model(ray: Any, spec: ModelSpec, actors: int | None) -> RayModel:
    """The model in as many actors as the cluster has CPUs, or as are asked for.

    Raises what kept the model from being loaded.
    """
    count = actors or max(1, int(ray.cluster_resources().get("CPU", 1)))
    environment = {key: value for key, value in os.environ.items() if key.startswith(CARRIED)}
    given = ray.put(ActorModel(spec, ship(spec.code_dir), environment))
    made = ray.remote(num_cpus=1, max_restarts=0, max_concurrency=AHEAD)(ScoringActor)
    model = RayModel(lambda: made.remote(given), count)
    try:
        model.wait_ready()
    except BaseException:
        model.close()
        raise
    return model

"""One version of a model: its workers from start to end, behind a dispatcher."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import replace
from typing import Any, Callable, Coroutine, Dict, List, Optional

from polyhost import logs
from polyhost.environments import Environment, Environments
from polyhost.errors import (
    NotTrained,
    PolyhostError,
    WorkerCrashed,
    WorkerNotReady,
    WorkerStartTimeout,
)
from polyhost.host.balance import CallCost, report_parts
from polyhost.host.dispatcher import Dispatcher
from polyhost.host.launcher import Launcher
from polyhost.host.member import Member, State
from polyhost.host.memory import MemoryWatch
from polyhost.host.observers import NOBODY, ModelObserver
from polyhost.host.process import WorkerProcess
from polyhost.host.quarantine import Quarantine
from polyhost.host.request import Body, Pending, Waiter
from polyhost.host.start_process import start_process
from polyhost.host.warm_parent import ForkLost
from polyhost.host.worker_facts import columns_of, room_for
from polyhost.host.worker_listener import WorkerListener
from polyhost.predictor import INFER_TARGET, JOB, ModelInfo
from polyhost.settings import OWN_ENVIRONMENTS, ModelConfig

__all__ = ["Output", "Pool", "State", "WorkerListener"]

logger = logging.getLogger(__name__)
life = logging.getLogger(logs.SERVE)

FIRST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE_OUTSIDE = 0.1, 10.0, 1.0
"""Seconds before another start of a worker, and the most that they grow to as one after another
fails; less where something outside ended them, which says nothing against the model."""

Output = Callable[[str, str, bytes, int, str], None]
"""Called with model, ``stdout`` or ``stderr``, what guest code wrote there, its worker's pid, and
the id of the request that ran then (empty: none, several, or not known)."""


class Pool:
    """A model version's replicas behind one queue. Lives on the event loop's thread.

    ``hold``: requests that come while it loads wait for it, rather than being refused.
    """

    def __init__(
        self,
        config: ModelConfig,
        launcher: Launcher,
        on_output: Output,
        *,
        observer: ModelObserver = NOBODY,
        watcher: Optional[WorkerListener] = None,
    ) -> None:
        self.watcher = watcher
        self.config = config
        self.name = config.name
        self.state = State.LOADING
        self.reason: Optional[PolyhostError] = None
        self.info: Optional[ModelInfo] = None
        self.restarts = 0
        self.hold = False
        self.room = (1, 1)
        """Requests that share a call in a worker, and calls that run there at once."""
        self._launcher = launcher
        self._on_output = on_output
        self._observer = observer
        self._members: List[Member] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._memory = MemoryWatch(config.name, config.limits.memory, self._spawn)
        self._created = time.monotonic()
        self._own: Optional[Environment] = None
        self._cost = CallCost()
        self._dispatcher = Dispatcher(
            config.name,
            max_queue=config.limits.max_queue,
            deadline=config.deadline,
            observer=observer,
            queued=None if watcher is None else watcher.pool_made(self),
        )

    # Requests

    def submit(
        self, meta: bytes, body: Body, retry: bool, waiter: Optional[Waiter] = None
    ) -> Pending:
        """Accept a request: its waiter, by default the future of what is returned, gets the answer.

        ``retry``: it may be tried once more when its worker dies. WorkerNotReady and WorkerBusy
        refuse it at once.
        """
        state = self.state
        held = self.hold and state is State.LOADING
        if not held and state is not State.READY and state is not State.DEGRADED:
            raise self._not_ready()
        return self._dispatcher.submit(meta, body, retry, waiter)

    def cancel(self, pending: Pending) -> bool:
        """The client has gone away: forget its request. False when it is not known here."""
        return self._dispatcher.cancel(pending)

    def _not_ready(self) -> PolyhostError:
        if self.reason is not None:
            return WorkerNotReady(
                f"model {self.name!r} failed to load: {self.reason.message}", cause=self.reason.kind
            )
        return WorkerNotReady(
            f"model {self.name!r} is {self.state.value}: try again soon", retry_after=1
        )

    @property
    def quarantine(self) -> Quarantine:
        """Requests that are refused since they ended workers."""
        return self._dispatcher.quarantine

    @property
    def busy(self) -> int:
        """Requests accepted and not yet answered."""
        return self._dispatcher.busy

    @property
    def queued(self) -> int:
        """Requests that no worker has yet, in all processes that serve the model."""
        return self._dispatcher.queue.total

    @property
    def ready_workers(self) -> int:
        """Replicas that can answer now; spares not counted."""
        return sum(m.ready and not m.spare and not m.retiring for m in self._members)

    @property
    def any_ready(self) -> bool:
        """Some replica can answer now."""
        return self.ready_workers > 0

    @property
    def workers(self) -> List[WorkerProcess]:
        """Processes that live now."""
        return [m.worker for m in self._members if m.worker is not None]

    # Life

    async def prepare(self) -> None:
        """Have the model's own environment, if it has one, built; :meth:`start` does so too.

        Nothing else is touched: another version may answer meanwhile. A failure fails the pool.
        """
        done = self._own is not None or self.state is State.FAILED
        if done or self.config.env not in OWN_ENVIRONMENTS:
            return
        work = self._loop.create_task(self._obtain())
        self._tasks.add(work)
        work.add_done_callback(self._tasks.discard)
        await asyncio.wait((work,))
        if not work.cancelled():  # by stop
            work.result()

    async def _obtain(self) -> None:
        try:
            manager = self.config.env
            assert manager is not None
            self._own = await Environments().obtain(self.config.spec.code_dir, manager)
        except PolyhostError as error:
            logger.error("model %s: version %s: %s", self.name, self.config.version, error)
            self.fail(error)
        else:
            self.config = replace(self.config, python=self._own.python)

    async def start(self) -> None:
        """Start every replica; returns when all are ready or one has failed for good."""
        await self.prepare()
        await self._start_replicas(self._wanted)

    async def _start_replicas(self, count: int) -> None:
        """Start so many; returns when each is ready, has failed for good, or was not wanted."""
        starts = [self._spawn(self._begin()) for _ in range(count)]
        if starts:
            await asyncio.wait(starts)
        for start in starts:
            if not start.cancelled():  # by stop or scale
                start.result()

    @property
    def _wanted(self) -> int:
        return self.config.workers + self.config.spares

    async def scale(self, replicas: int) -> None:
        """Start or retire replicas until there are so many; returns when they are there."""
        self.config = replace(self.config, workers=replicas)
        standing = self._standing
        for member in standing[self._wanted :]:
            self._retire(member)
        await self._start_replicas(self._wanted - len(standing))
        self._settle()

    @property
    def _standing(self) -> List[Member]:
        """Replicas that are there, or start, and are to stay."""
        return [member for member in self._members if not member.retiring]

    async def stop(self, grace: float) -> None:
        """Answer what was accepted, within ``grace`` seconds; then end every worker."""
        limit = time.monotonic() + grace
        if self.state is not State.FAILED:
            self.state = State.UNLOADING
        if self.watcher is not None:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.watcher.drain(self), max(0.1, grace))
        while self.busy and self.state is not State.FAILED and time.monotonic() < limit:
            await asyncio.sleep(0.02)
        self.state = State.STOPPED
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)  # what they start is then among the members, or ended
        self._dispatcher.fail_all(WorkerNotReady(f"model {self.name!r} was stopped"))
        stops = []
        for member in self._members:
            member.stopping = True
            if member.worker is not None:
                stops.append(member.worker.stop(max(0.5, limit - time.monotonic())))
        await asyncio.gather(*stops)
        if self.watcher is not None:
            self.watcher.pool_ended(self)
        if self._own is not None:
            self._own.release()
            self._own = None

    def fail(self, error: PolyhostError) -> None:
        """Take no more requests: this version is not fit to answer."""
        if self.state is State.STOPPED:
            return
        self.state = State.FAILED
        self.reason = error
        self._dispatcher.fail_all(self._not_ready())

    async def _begin(self) -> None:
        """Bring up a replica. Only a cause that may pass is tried again."""
        pause, again = FIRST_PAUSE, True
        while self.state not in (State.FAILED, State.STOPPED):
            if len(self._standing) >= self._wanted:
                return  # scaled down since, or another came up first
            try:
                await self._launch()
                return
            except Exception as error:
                failure = error if isinstance(error, PolyhostError) else _unexpected(error)
            if isinstance(failure, ForkLost) and again:
                again = False
                continue
            if self._is_final(failure):
                return
            await asyncio.sleep(pause)
            longest = LONGEST_PAUSE_OUTSIDE if failure.facts.get("outside") else LONGEST_PAUSE
            pause = min(pause * 2, longest)

    def _is_final(self, failure: PolyhostError) -> bool:
        """A start has failed; True where another try is pointless, and the pool fails."""
        if isinstance(failure, NotTrained):
            life.info("model %s: %s Train it: POST /%s/train", self.name, failure, self.name)
        else:
            logger.error("model %s: a worker did not start: %s", self.name, failure)
        passing = isinstance(failure, (WorkerCrashed, WorkerStartTimeout))
        final = self.info is None or (self.state is State.LOADING and not passing)
        if final:
            self.fail(failure)
        return final

    async def _launch(self) -> None:
        member = Member()
        member.device = self._free_device()
        member.start = asyncio.current_task()
        self._members.append(member)
        try:
            worker = await self._start_worker(member)
        except BaseException:
            self._members.remove(member)
            raise
        member.link = member.worker = worker
        self._dispatcher.replicas.append(member)
        try:
            await self._load(member, worker)
        except BaseException as error:
            member.retiring = True  # it ends, whatever it still does: another may take its place
            if not isinstance(error, WorkerStartTimeout):  # then it gets to dump its stacks
                worker.kill()
            raise

    async def _start_worker(self, member: Member) -> WorkerProcess:
        """A process that waits to hear what to load. Whoever is cancelled here leaves none."""
        own = {} if self._own is None else self._own.variables
        started = await start_process(self._launcher, self.config, own, member.device)

        def on_exit(worker: WorkerProcess) -> None:
            started.remove_temp_dir()
            self._on_exit(member, worker)

        return WorkerProcess(
            started.pid,
            started.sockets,
            self._loop,
            on_frames=lambda found: self._dispatcher.on_frames(member, found),
            on_exit=on_exit,
            on_output=lambda stream, data, id: self._on_output(
                self.name, stream, data, started.pid, self._dispatcher.name_of(id)
            ),
            on_metric=self._on_metric,
            marks=self._observer.marks_output,
        )

    async def _load(self, member: Member, worker: WorkerProcess) -> None:
        batching = self.config.batching
        options: Dict[str, Any] = {"max_batch": batching.max_batch if batching else 1}
        limits = {"max_rows": self.config.limits.max_rows, "call_rows": batching.max_rows}
        options["limits"] = {key: value for key, value in limits.items() if value is not None}
        if self.watcher is not None:
            options["fronts"] = True
        spec, wanted = self.config.spec, self.config.limits.max_concurrency
        if wanted > 1:
            options["max_concurrency"] = wanted
            spec = replace(spec, options={**spec.options, "max_concurrency": wanted})
        worker.initialise(spec, options)
        self.info = await worker.wait_ready(self.config.load_timeout)
        self._use_target(self.info)
        self.room = room_for(self.config, self.info)
        self._dispatcher.set_room(*self.room)
        member.ready = True
        if self.watcher is not None:
            member.begins = True
            self.watcher.worker_up(self, worker)
        self._settle()

    def _on_metric(self, report: Dict[str, Any]) -> None:
        calls, seconds = report_parts(report)
        self._observer.counted(report)
        if not seconds:
            return
        self._cost.add(calls, seconds)
        cost = self._cost.cost
        if self._dispatcher.balance is not None:
            self._dispatcher.balance.cost = cost
        if self.watcher is not None:
            self.watcher.cost_changed(self, cost)

    def _use_target(self, info: ModelInfo) -> None:
        """Keep the target that the first worker read from the artifact, for the others too."""
        spec = self.config.spec
        if INFER_TARGET in spec.options and JOB not in spec.options:
            options = {key: value for key, value in spec.options.items() if key != INFER_TARGET}
            known = replace(spec, target=info.target, options=options)
            self.config = replace(self.config, spec=known)
            labels = ", ".join(info.target.labels)
            life.info(
                "model %s: target type %s%s taken from the artifact",
                self.name,
                info.target.type.value,
                f" and class labels {labels}" if labels else "",
            )

    def _free_device(self) -> int:
        """The first place that no replica has: each keeps to its own devices."""
        taken = {member.device for member in self._members if not member.retiring}
        return next(i for i in range(len(taken) + 1) if i not in taken)

    def _settle(self) -> None:
        """Choose who serves and who is spare, set the state, and give out what waits."""
        serving = 0
        for member in self._members:
            if member.ready and not member.retiring:
                member.spare = serving >= self.config.workers
                serving += not member.spare
        if self.info is not None and self.state in (State.LOADING, State.READY, State.DEGRADED):
            full = serving >= self.config.workers
            if self.state is not State.LOADING or full:
                if self.state is State.LOADING and JOB not in self.config.spec.options:
                    self._report_ready(self.info)
                self.state = State.READY if full else State.DEGRADED
        self._dispatcher.dispatch()

    def _report_ready(self, info: ModelInfo) -> None:
        workers = self.config.workers
        life.info(
            "model %s: version %s is ready after %.1f s (%s, %s%s%s)",
            self.name,
            self.config.version,
            time.monotonic() - self._created,
            info.language,
            info.target.type.value,
            f", {workers} workers" if workers > 1 else "",
            columns_of(info),
        )

    def _retire(self, member: Member) -> None:
        """Let a replica finish what it has, then end it; one that starts is ended at once."""
        member.retiring = True
        if not member.ready and member.start is not None:
            member.start.cancel()
        self._spawn(self._end(member))

    async def _end(self, member: Member) -> None:
        if self.watcher is not None and member.worker is not None:
            await self.watcher.retire(member.worker)
        while member.inflight:
            await asyncio.sleep(0.02)
        member.stopping = True
        if member.worker is not None:
            await member.worker.stop(5.0)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # Faults

    def _on_exit(self, member: Member, worker: WorkerProcess) -> None:
        was_ready, member.ready = member.ready, False
        self._members.remove(member)
        crash = worker.crash()
        if self._launcher.sandboxes.leave(worker.pid) and member.memory.over is None:
            member.memory.over = self.config.limits.memory
        if member.memory.over is not None:
            crash = self._memory.crash(member.memory, crash)
        self._dispatcher.on_death(member, crash)
        if self.watcher is not None and was_ready:
            self.watcher.worker_down(self, worker, crash)
        self._settle()
        if member.stopping or not was_ready or self.state in (State.FAILED, State.STOPPED):
            return
        self.restarts += 1
        logger.error("model %s: %s; starting another", self.name, crash)
        self._spawn(self._begin())

    def sweep(self, now: float) -> None:
        """Judge workers by the deadline and by the memory limit."""
        try:
            self._dispatcher.sweep(now)
        finally:
            self._memory.look(self._members, now)


def _unexpected(error: Exception) -> WorkerCrashed:
    """What kept a worker from starting, where the error is not ours."""
    if not isinstance(error, OSError):
        logger.error("a worker's start failed", exc_info=error)
    return WorkerCrashed(
        f"the worker cannot be started: {type(error).__name__}: {error}", exit_code=0
    )

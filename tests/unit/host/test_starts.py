"""Models that are stopped, scaled or removed while their workers start: no process is left."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from unit.host.stranger_nursery import StrangerNursery

from polyhost.data.target import Target, TargetType
from polyhost.errors import WorkerCrashed
from polyhost.host import pool as pools
from polyhost.host.launcher import NO_SETUP
from polyhost.host.model_slot import ModelSlot
from polyhost.host.pool import Pool, State
from polyhost.host.sockets import Sockets
from polyhost.host.warm_parent import ForkLost
from polyhost.predictor import ModelSpec
from polyhost.settings import Limits, ModelConfig

SPEC = ModelSpec(Path("/nowhere"), "python", Target(TargetType.REGRESSION))


class Gated(StrangerNursery):
    """Starts a worker when it is let; the starts of ``failures`` fail first."""

    def __init__(self, *failures: Exception) -> None:
        super().__init__()
        MADE.append(self)
        self.gate = asyncio.Event()
        self.asked = 0
        self.pids: list[int] = []
        self.failures = list(failures)
        self.mute: set[int] = set()
        """Numbers of the starts whose worker never says that it is ready."""

    async def start(
        self,
        spec: ModelSpec,
        python: str | None,
        env: dict[str, str],
        sockets: Sockets,
        setup: Mapping[str, Any] = NO_SETUP,
    ) -> int:
        self.asked += 1
        await self.gate.wait()
        if self.failures:
            raise self.failures.pop(0)
        if self.asked in self.mute:
            code = "import signal, time; signal.signal(signal.SIGUSR1, signal.SIG_IGN)"
            command = [sys.executable, "-c", f"{code}; time.sleep(600)"]
            process = subprocess.Popen(command, start_new_session=True)
            process.returncode = 0
            self.pids.append(process.pid)
            return process.pid
        self.pids.append(await super().start(spec, python, env, sockets, setup))
        return self.pids[-1]

    @property
    def alive(self) -> list[int]:
        return [pid for pid in self.pids if Path(f"/proc/{pid}").exists()]


MADE: list[Gated] = []


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run it; it leaves no descriptor."""
    before = len(os.listdir("/proc/self/fd"))
    asyncio.run(asyncio.wait_for(scenario(), 30))  # type: ignore[arg-type]
    while MADE:
        MADE.pop().close()
    assert len(os.listdir("/proc/self/fd")) == before


def pool_of(launcher: Gated, workers: int = 1) -> Pool:
    return Pool(ModelConfig("m", SPEC, workers=workers), launcher, lambda *args: None)


async def until(done: Callable[[], bool]) -> None:
    while not done():
        await asyncio.sleep(0.005)


def test_a_model_that_is_stopped_while_it_starts_leaves_no_process() -> None:
    async def scenario() -> None:
        launcher = Gated()
        pool = pool_of(launcher, 3)
        starting = asyncio.create_task(pool.start())
        await until(lambda: launcher.asked == 3)
        await pool.stop(1.0)
        launcher.gate.set()
        await starting
        assert (launcher.pids, pool.workers, pool.state) == ([], [], State.STOPPED)

    run(scenario)


def test_a_model_that_is_removed_during_its_first_load_leaves_no_process() -> None:
    async def scenario() -> None:
        launcher = Gated()
        model = ModelSlot(ModelConfig("m", SPEC), lambda hosted: pool_of(launcher))
        loading = asyncio.create_task(model.load(model.config))
        behind = asyncio.create_task(model.load(model.config))
        await until(lambda: launcher.asked == 1)
        await model.stop(1.0)
        launcher.gate.set()
        assert (await loading, await behind) == (False, False)
        assert (launcher.asked, launcher.pids, model.workers) == (1, [], [])
        assert model.state is State.STOPPED

    run(scenario)


def test_replicas_that_still_start_are_taken_back_by_a_smaller_number() -> None:
    async def scenario() -> None:
        launcher = Gated()
        launcher.gate.set()
        pool = pool_of(launcher)
        await pool.start()
        launcher.gate.clear()
        growing = asyncio.create_task(pool.scale(4))
        await until(lambda: launcher.asked == 4)
        await pool.scale(1)
        launcher.gate.set()
        await growing
        await until(lambda: len(launcher.alive) == 1)
        assert len(pool.workers) == 1
        await pool.stop(1.0)
        assert launcher.alive == []

    run(scenario)


def test_a_start_that_waits_for_its_next_try_is_no_replica_too_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pools, "FIRST_PAUSE", 0.05)

    async def scenario() -> None:
        launcher = Gated()
        launcher.gate.set()
        pool = pool_of(launcher, 2)
        await pool.start()
        launcher.failures = [WorkerCrashed("not yet", exit_code=1)]
        os.kill(launcher.pids[0], 9)
        await until(lambda: not launcher.failures)
        await pool.scale(1)  # the other start waits
        await pool.scale(2)
        await until(lambda: pool.ready_workers == 2)
        await asyncio.gather(*pool._tasks)
        assert len(launcher.alive) == len(pool.workers) == 2
        await pool.stop(1.0)

    run(scenario)


def test_a_fork_that_got_lost_is_tried_again_with_other_sockets() -> None:
    async def scenario() -> None:
        launcher = Gated(ForkLost("it ended", exit_code=0))
        launcher.gate.set()
        pool = pool_of(launcher)
        await pool.start()
        assert (pool.state, launcher.asked) == (State.READY, 2)
        await pool.stop(1.0)

    run(scenario)


def test_an_unexpected_failure_of_a_start_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "FIRST_PAUSE", 0.01)

    async def scenario() -> None:
        launcher = Gated()
        launcher.gate.set()
        pool = pool_of(launcher)
        await pool.start()
        launcher.failures = [KeyError("a fault of ours"), OSError("no processes left")]
        os.kill(launcher.pids[0], 9)
        result = await pool.submit(b'{"op":"predict"}', b"a", True).future
        assert result.body == b"A"
        await pool.stop(1.0)

    run(scenario)


def test_a_worker_that_does_not_get_ready_is_followed_by_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also while the one before it, which hangs, has not ended yet."""
    monkeypatch.setattr(pools, "FIRST_PAUSE", 0.01)

    async def scenario() -> None:
        launcher = Gated()
        launcher.gate.set()
        launcher.mute = {2, 3}
        model = ModelConfig("m", SPEC, limits=Limits(load_timeout=1.0))
        pool = Pool(model, launcher, lambda *args: None)
        await pool.start()
        os.kill(launcher.pids[0], 9)
        result = await pool.submit(b'{"op":"predict"}', b"a", True).future
        assert result.body == b"A"
        await until(lambda: len(launcher.alive) == 1)
        await pool.stop(1.0)

    run(scenario)


def test_a_fault_after_the_start_of_a_process_ends_that_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pools, "FIRST_PAUSE", 0.01)

    async def scenario() -> None:
        launcher = Gated()
        launcher.gate.set()
        pool = pool_of(launcher)
        await pool.start()
        load, faults = pool._load, [KeyError("a fault of ours")]

        async def faulty(member: Any, worker: Any) -> None:
            if faults:
                raise faults.pop()
            await load(member, worker)

        monkeypatch.setattr(pool, "_load", faulty)
        os.kill(launcher.pids[0], 9)
        result = await pool.submit(b'{"op":"predict"}', b"a", True).future
        assert result.body == b"A"
        await until(lambda: len(launcher.alive) == 1)
        await pool.stop(1.0)

    run(scenario)

"""The pool against a worker that was written from the protocol's page alone; faults are real."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from unit.host.stranger_nursery import StrangerNursery

from polyhost.data.target import Target, TargetType
from polyhost.errors import ModelError, WorkerBusy, WorkerCrashed, WorkerTimeout
from polyhost.host.pool import Pool, State
from polyhost.host.spool import Budget, Spool
from polyhost.host.stream import ReplyStream
from polyhost.predictor import ModelSpec
from polyhost.settings import Limits, ModelConfig

META = b'{"op":"predict","dialect":"drum","type":"text/csv"}'


class Fixture:
    def __init__(self, pool: Pool, output: list[bytes]) -> None:
        self.pool = pool
        self.output = output

    async def ask(self, body: bytes, retry: bool = True) -> bytes:
        result = await self.pool.submit(META, body, retry).future
        return result.body

    @property
    def pid(self) -> int:
        return self.pool.workers[0].pid


def with_pool(
    scenario: Callable[[Fixture], Awaitable[None]],
    *,
    workers: int = 1,
    deadline: float | None = None,
    max_queue: int = 1000,
) -> None:
    """Run a scenario with a started pool, then stop it and look for what it left."""

    async def main() -> None:
        output: list[bytes] = []
        spec = ModelSpec(Path("/nowhere"), "python", Target(TargetType.REGRESSION))
        model = ModelConfig(
            "m", spec, workers=workers, limits=Limits(deadline=deadline, max_queue=max_queue)
        )
        launcher = StrangerNursery()
        pool = Pool(model, launcher, lambda *args: output.append(args[2]))
        await pool.start()
        assert pool.state is State.READY

        async def sweeper() -> None:
            while True:
                await asyncio.sleep(0.02)
                pool.sweep(time.monotonic())

        sweep = asyncio.create_task(sweeper())
        pids = [worker.pid for worker in pool.workers]
        try:
            await asyncio.wait_for(scenario(Fixture(pool, output)), 30)
        finally:
            pids += [worker.pid for worker in pool.workers]
            await pool.stop(5.0)
            launcher.close()
            sweep.cancel()
        for pid in pids:
            assert not Path(f"/proc/{pid}").exists()

    before = len(os.listdir("/proc/self/fd"))
    asyncio.run(main())
    assert len(os.listdir("/proc/self/fd")) == before


def test_requests_are_answered_in_any_number() -> None:
    async def scenario(fixture: Fixture) -> None:
        bodies = [b"hello %d" % i for i in range(300)]
        answers = await asyncio.gather(*(fixture.ask(body) for body in bodies))
        assert answers == [body.upper() for body in bodies]

    with_pool(scenario, workers=2)


def test_a_large_body_is_chunked_for_a_worker_without_descriptors() -> None:
    async def scenario(fixture: Fixture) -> None:
        budget = Budget()
        spool = Spool(budget)
        body = b"abc" * 1_500_000
        spool.write(body)
        pending = fixture.pool.submit(META, spool, True)
        result = await pending.future
        assert isinstance(result.stream, ReplyStream)
        got = b"".join([chunk async for chunk in result.stream])
        assert got == body.upper()
        assert budget.used == 0

    with_pool(scenario)


def test_a_stream_never_runs_ahead_of_its_reader() -> None:
    async def scenario(fixture: Fixture) -> None:
        result = await fixture.pool.submit(META, b"stream 100 65536", False).future
        assert result.stream is not None
        await asyncio.sleep(0.3)
        assert len(b"".join(fixture.output).splitlines()) == 4  # the window of 256 KiB
        size = 0
        async for chunk in result.stream:
            size += len(chunk)
        assert size == 100 * 65536
        assert await fixture.ask(b"and on") == b"AND ON"

    with_pool(scenario)


def test_a_cancelled_stream_stops_and_the_worker_serves_on() -> None:
    async def scenario(fixture: Fixture) -> None:
        pending = fixture.pool.submit(META, b"stream 1000000 65536", False)
        await pending.future
        pid = fixture.pid
        fixture.pool.cancel(pending)
        assert await fixture.ask(b"next") == b"NEXT"
        assert fixture.pid == pid
        assert fixture.pool.busy == 0

    with_pool(scenario)


def test_a_killed_idle_worker_is_replaced() -> None:
    async def scenario(fixture: Fixture) -> None:
        first = fixture.pid
        os.kill(first, signal.SIGKILL)
        assert await fixture.ask(b"a") == b"A"
        assert fixture.pid != first
        assert fixture.pool.restarts == 1

    with_pool(scenario)


def test_requests_in_a_killed_worker_and_behind_it_are_answered_by_the_next() -> None:
    async def scenario(fixture: Fixture) -> None:
        asks = [asyncio.ensure_future(fixture.ask(b"sleep 0.3"))]
        asks += [asyncio.ensure_future(fixture.ask(b"b%d" % i)) for i in range(20)]
        await asyncio.sleep(0.1)
        os.kill(fixture.pid, signal.SIGKILL)
        answers = await asyncio.gather(*asks)
        assert answers == [b"SLEEP 0.3", *(b"B%d" % i for i in range(20))]

    with_pool(scenario)


def test_a_request_that_kills_twice_is_refused_and_its_neighbours_are_answered() -> None:
    async def scenario(fixture: Fixture) -> None:
        killer = asyncio.ensure_future(fixture.ask(b"die"))
        others = [asyncio.ensure_future(fixture.ask(b"c%d" % i)) for i in range(5)]
        with pytest.raises(WorkerCrashed) as caught:
            await killer
        assert caught.value.exit_code == -signal.SIGABRT
        assert await asyncio.gather(*others) == [b"C%d" % i for i in range(5)]
        assert fixture.pool.restarts == 2

    with_pool(scenario)


async def killed_twice(fixture: Fixture, body: bytes) -> None:
    """Ask, and kill the worker from outside while it runs, the next one too."""
    asked = asyncio.ensure_future(fixture.ask(body))
    killed: set[int] = set()
    while len(killed) < 2:
        await asyncio.sleep(0.01)
        for member in fixture.pool._members:
            if member.inflight and member.worker is not None and member.worker.pid not in killed:
                killed.add(member.worker.pid)
                os.kill(member.worker.pid, signal.SIGKILL)
    with pytest.raises(WorkerCrashed, match="killed by SIGKILL"):
        await asked


def test_two_kills_from_outside_do_not_have_an_innocent_refused() -> None:
    async def scenario(fixture: Fixture) -> None:
        await killed_twice(fixture, b"sleep 0.3")
        assert await fixture.ask(b"sleep 0.3") == b"SLEEP 0.3"
        assert fixture.pool.restarts == 2
        assert not fixture.pool._dispatcher.quarantine

    with_pool(scenario)


def test_one_that_dies_on_its_trial_is_refused() -> None:
    async def scenario(fixture: Fixture) -> None:
        for restarts in (2, 3):  # the third time is the trial
            with pytest.raises(WorkerCrashed, match="killed by SIGKILL"):
                await fixture.ask(b"kill")
            assert fixture.pool.restarts == restarts
        with pytest.raises(WorkerCrashed, match="twice: it is refused"):
            await fixture.ask(b"kill")
        assert fixture.pool.restarts == 3

    with_pool(scenario)


def test_a_request_that_may_not_be_repeated_fails_with_its_worker() -> None:
    async def scenario(fixture: Fixture) -> None:
        first = asyncio.ensure_future(fixture.ask(b"die", retry=False))
        waiting = asyncio.ensure_future(fixture.ask(b"mine", retry=False))
        with pytest.raises(WorkerCrashed):
            await first
        assert await waiting == b"MINE"  # it had not been begun

    with_pool(scenario)


def test_an_error_comes_back_as_what_it_was() -> None:
    async def scenario(fixture: Fixture) -> None:
        with pytest.raises(ModelError) as caught:
            await fixture.ask(b"error")
        assert (caught.value.message, caught.value.hook) == ("as asked", "score")

    with_pool(scenario)


def test_a_worker_that_hangs_is_replaced_at_its_deadline() -> None:
    async def scenario(fixture: Fixture) -> None:
        hanging = asyncio.ensure_future(fixture.ask(b"spin"))
        waiting = asyncio.ensure_future(fixture.ask(b"behind"))
        with pytest.raises(WorkerTimeout):
            await hanging
        assert await waiting == b"BEHIND"

    with_pool(scenario, deadline=0.5)


def test_a_worker_that_breaks_the_protocol_is_replaced() -> None:
    async def scenario(fixture: Fixture) -> None:
        with pytest.raises(WorkerCrashed):
            await fixture.ask(b"garbage")
        assert await fixture.ask(b"fine") == b"FINE"

    with_pool(scenario)


def test_a_full_queue_refuses_at_once() -> None:
    async def scenario(fixture: Fixture) -> None:
        held = [fixture.pool.submit(META, b"sleep 0.2", True) for _ in range(2 + 3)]
        with pytest.raises(WorkerBusy, match="full"):
            fixture.pool.submit(META, b"one more", True)
        await asyncio.gather(*(pending.future for pending in held))

    with_pool(scenario, max_queue=3)


def test_a_request_cancelled_in_the_queue_is_never_run() -> None:
    async def scenario(fixture: Fixture) -> None:
        held = [asyncio.ensure_future(fixture.ask(b"sleep 0.2")) for _ in range(2)]
        await asyncio.sleep(0)
        pending = fixture.pool.submit(META, b"die", True)
        fixture.pool.cancel(pending)
        await asyncio.gather(*held)
        assert fixture.pool.restarts == 0
        assert fixture.pool.busy == 0

    with_pool(scenario)


def test_stopping_answers_what_was_accepted() -> None:
    async def scenario(fixture: Fixture) -> None:
        asks = [asyncio.ensure_future(fixture.ask(b"sleep 0.1")) for _ in range(4)]
        await asyncio.sleep(0.05)
        await fixture.pool.stop(5.0)
        assert await asyncio.gather(*asks) == [b"SLEEP 0.1"] * 4

    with_pool(scenario)


def test_a_worker_that_reads_requests_is_not_taken_for_one_that_hangs() -> None:
    async def scenario(fixture: Fixture) -> None:
        worker = fixture.pool.workers[0]
        worker.expect_reading(1000.0)
        worker.expect_reading(0.0)  # one question at a time
        while worker._reading is not None:
            await asyncio.sleep(0)
        assert await fixture.ask(b"a") == b"A"
        assert fixture.pid == worker.pid

    with_pool(scenario)


def test_a_worker_that_reads_no_requests_is_ended() -> None:
    async def scenario(fixture: Fixture) -> None:
        worker = fixture.pool.workers[0]
        asked = asyncio.ensure_future(fixture.ask(b"sleep 1000", retry=False))
        await asyncio.sleep(0)
        worker.expect_reading(0.2)
        with pytest.raises(WorkerCrashed):
            await asked
        assert await fixture.ask(b"b") == b"B"
        assert fixture.pid != worker.pid

    with_pool(scenario)

"""A supervisor and its fronts over real channels, in one process; pools and workers are scripted."""

from __future__ import annotations

import asyncio
import signal
import time
from dataclasses import replace
from typing import cast

import pytest
from unit.server.fronts.scripted_host import (
    META,
    SETTINGS,
    World,
    loaded,
    settled,
    until,
    with_world,
)

from polyhost.errors import LoadError, WorkerBusy, WorkerCrashed, WorkerNotReady
from polyhost.host.pool import Pool, State
from polyhost.host.process import WorkerProcess
from polyhost.server.fronts import supervisor as module
from polyhost.server.watch.metrics import Metrics
from polyhost.settings import ApiKey, Limits
from polyhost.wire import frames
from polyhost.wire.frames import FrameKind, Parser


def test_a_front_knows_models_and_answers_over_its_own_socket() -> None:
    async def scenario(world: World) -> None:
        front = await world.front()
        model = world.model(limits=Limits(max_queue=7))
        _, worker = world.ready(model)
        await loaded(front)
        known = front.host.models["m"]
        assert known.info == model.info
        assert known.config == model.config
        pending = known.submit(META, b"a", True)
        await asyncio.sleep(0)
        (frame,) = Parser().feed(worker.sockets[0].recv(65536))
        assert (frame.kind, frame.id, frame.body) == (FrameKind.REQUEST, pending.id, b"a")
        reply = b'{"status":200,"type":"text/plain"}'
        worker.sockets[0].send(frames.encode(FrameKind.REPLY, pending.id, reply, b"A"))
        assert (await pending.future).body == b"A"

    with_world(scenario)


def test_only_what_has_changed_is_sent() -> None:
    async def scenario(world: World) -> None:
        front = await world.front()
        models = [world.model(f"m{number}") for number in range(200)]
        await until(lambda: len(front.of("model")) == 200)
        assert len({message["number"] for message in front.of("model")}) == 200
        del front.messages[:]
        for now in range(20):
            world.host.sweep(float(now))
        await settled(world)
        assert front.of("model") == []
        models[7].state = State.DEGRADED
        models[8].reason = LoadError("cannot be loaded")
        world.host.sweep(21.0)
        await settled(world)
        one, two = front.of("model")
        assert one == {"what": "model", "number": one["number"], "state": "degraded"}
        assert two.keys() == {"what", "number", "reason"}
        assert front.host.models["m7"].state is State.DEGRADED
        assert str(front.host.models["m8"].reason) == "cannot be loaded"

    with_world(scenario)


def test_a_model_of_a_name_that_was_removed_is_another() -> None:
    async def scenario(world: World) -> None:
        front = await world.front()
        world.ready(world.model())
        await loaded(front)
        first = front.host.models["m"]
        world.model()
        await settled(world)
        assert front.host.models["m"] is not first
        assert front.host.models["m"].state is State.LOADING
        del world.host.models["m"]
        world.host.change()
        await settled(world)
        assert front.host.models == {}

    with_world(scenario)


def test_a_front_that_comes_later_learns_everything_before_it_begins() -> None:
    async def scenario(world: World) -> None:
        world.model("loading")
        pool, worker = world.ready(world.model("ready"))
        pool.quarantine.learn(b"\x01" * 32, True)
        world.fronts.renew(replace(SETTINGS, keys=(ApiKey("k", "00" * 32),)))
        world.fronts.cost_changed(cast(Pool, pool), (0.25, 0.5))
        front = await world.front()
        assert {name: m.state.value for name, m in front.host.models.items()} == {
            "loading": "loading",
            "ready": "ready",
        }
        (access,) = front.of("access")
        assert [key["name"] for key in access["access"]["keys"]] == ["k"]
        assert front.messages.index(access) < front.messages.index(front.of("begin")[0])
        (known,) = front.host._pools.values()
        assert known.cost == (0.25, 0.5)
        assert known.dispatcher.quarantine.known() == [(b"\x01" * 32, True)]
        assert len(worker.sockets) == 1

    with_world(scenario)


def test_a_revoked_key_reaches_every_front_behind_any_amount_of_news() -> None:
    async def scenario(world: World) -> None:
        fronts = [await world.front(), await world.front()]
        for number in range(300):
            world.model(f"m{number}", version="v" * 20_000)
        world.fronts.renew(replace(SETTINGS, keys=()))
        for front in fronts:
            await until(lambda front=front: len(front.of("access")) == 2)
            assert front.of("access")[1]["access"]["keys"] == []
            assert len(front.host.models) == 300

    with_world(scenario)


def test_the_queue_limit_is_one_for_all_fronts() -> None:
    async def scenario(world: World) -> None:
        fronts = [await world.front(), await world.front()]
        model = world.model(limits=Limits(max_queue=3))
        world.ready(model)
        known = []
        for front in fronts:
            await loaded(front)
            known.append(front.host.models["m"])
        pending = [m.submit(META, b"x", True) for m in known for _ in range(2)]  # the windows
        pending += [known[0].submit(META, b"x", True) for _ in range(2)]
        pending += [known[1].submit(META, b"x", True)]
        for m in known:
            with pytest.raises(WorkerBusy, match="3 requests wait"):
                m.submit(META, b"x", True)
        known[0].cancel(pending[4])
        known[1].submit(META, b"x", True)

    with_world(scenario)


def test_a_pool_that_has_ended_fails_what_fronts_still_hold() -> None:
    async def scenario(world: World) -> None:
        front = await world.front()
        pool, worker = world.ready(world.model())
        await loaded(front)
        known = front.host.models["m"]
        pending = [known.submit(META, b"x", retry) for retry in (True, False, True, True)]
        world.fronts.worker_down(
            cast(Pool, pool), cast(WorkerProcess, worker), WorkerCrashed("ended", exit_code=1)
        )
        world.fronts.pool_ended(cast(Pool, pool))
        for each in pending:
            with pytest.raises((WorkerNotReady, WorkerCrashed)):
                await asyncio.wait_for(each.future, 20)
        assert front.host.busy_by_pool() == {}
        assert known.active is None
        with pytest.raises(WorkerNotReady):
            known.submit(META, b"x", True)

    with_world(scenario)


def test_fronts_ask_for_what_only_the_parent_can_do() -> None:
    async def scenario(world: World) -> None:
        front = await world.front()
        _, worker = world.ready(world.model())
        await until(lambda: front.host._of_worker)
        ((number, pool),) = front.host._of_worker.items()
        link = pool.links[number]
        link.interrupt(5)
        link.end_hung()
        worker.sockets[0].send(b"this is no frame at all")
        await until(lambda: len(worker.calls) == 3)
        assert worker.calls == [("interrupt", 5), "end_hung", "kill"]

    with_world(scenario)


def test_what_a_front_that_ended_left_running_is_judged_by_the_deadline() -> None:
    async def scenario(world: World) -> None:
        front = await world.front()
        _, bounded = world.ready(world.model("bounded", limits=Limits(deadline=3.0)))
        _, free = world.ready(world.model("free"))
        front.channel.close()
        await until(lambda: bounded.calls)
        assert bounded.calls == [("expect_reading", 4.0)]
        assert free.calls == []

    with_world(scenario)


def test_draining_ends_when_each_front_has_drained_or_ended() -> None:
    async def scenario(world: World) -> None:
        one, two = await world.front(), await world.front()
        pool, worker = world.ready(world.model())
        pending = []
        for front in (one, two):
            await loaded(front)
            pending.append(front.host.models["m"].submit(META, b"x", True))
        drained = asyncio.ensure_future(world.fronts.drain(cast(Pool, pool)))
        await until(lambda: one.of("drain") and two.of("drain"))
        for front in (one, two):
            front.host.sweep(0.0)
        await settled(world)
        assert not drained.done()
        two.channel.close()
        reply = b'{"status":200,"type":"text/plain"}'
        worker.sockets[0].send(frames.encode(FrameKind.REPLY, pending[0].id, reply, b"A"))
        await pending[0].future
        one.host.sweep(1.0)
        await asyncio.wait_for(drained, 20)

    with_world(scenario)


def test_counts_of_a_front_are_added_and_stay_when_it_ends() -> None:
    async def scenario(world: World) -> None:
        front = await world.front()
        model = world.model()
        pool, _ = world.ready(model)
        own = Metrics()
        own.of(model.config).route("drum").add(200, 0.25)
        busy = {world.fronts._pool_numbers[id(pool)]: 3}
        for counted in (own.take_wire(), own.take_wire()):
            front.channel.send({"what": "counts", "counted": counted, "busy": busy})
        await until(lambda: world.fronts.busy("m") == 3)
        assert model.last_used > 0
        front.channel.close()
        await until(lambda: not world.fronts._fronts)
        assert world.fronts.busy("m") == 0
        assert world.metrics.of(model.config).route("drum").codes == {200: 1}

    with_world(scenario)


def test_a_front_that_says_nothing_or_reads_nothing_is_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr(module.os, "kill", lambda pid, number: killed.append((pid, number)))

    async def scenario(world: World) -> None:
        front = await world.front()
        (known,) = world.fronts._fronts.values()
        now = time.monotonic()
        world.host.sweep(now + 3600)  # the supervisor itself was away
        assert killed == []
        for second in range(1, 32):
            world.host.sweep(now + 3600 + second)
        assert killed == [(known.pid, signal.SIGKILL)]
        known.heard = now + 3640
        asyncio.get_running_loop().remove_reader(front.channel._sock.fileno())
        monkeypatch.setattr(module, "MOST_WAITING", 1 << 20)
        world.fronts._send_all({"what": "cost", "text": "x" * (2 << 20)})
        world.host.sweep(now + 3632)
        assert len(killed) == 2

    with_world(scenario)


def test_the_end_of_the_forker_is_a_failure() -> None:
    async def scenario(world: World) -> None:
        world.announcements.close()
        await asyncio.wait_for(world.fronts.failed.wait(), 20)

    with_world(scenario)


def test_a_killer_that_one_front_finds_is_known_to_all() -> None:
    async def scenario(world: World) -> None:
        one, two = await world.front(), await world.front()
        pool, _ = world.ready(world.model())
        await until(lambda: one.host._pools and two.host._pools)
        number = world.fronts._pool_numbers[id(pool)]
        digest = b"\x02" * 32
        one.host._pools[number].dispatcher.quarantine.on_added(digest, True)
        await until(
            lambda: two.host._pools[number].dispatcher.quarantine.known() == [(digest, True)]
        )
        assert pool.quarantine.known() == [(digest, True)]

    with_world(scenario)

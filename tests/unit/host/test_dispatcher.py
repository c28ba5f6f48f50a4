"""The queue of one model over workers that exist only as links: who gets what, and what fails."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from polyhost.errors import (
    InvalidOutput,
    ModelError,
    PolyhostError,
    WorkerCrashed,
    WorkerNotReady,
    WorkerTimeout,
)
from polyhost.host.deadline import INTERRUPT_GRACE
from polyhost.host.dispatcher import STRANDED, Dispatcher
from polyhost.host.replica import Replica
from polyhost.host.request import Pending, Result
from polyhost.wire.frames import Frame, FrameFlag, FrameKind, Parser

META = b'{"op":"predict"}'
GOOD = b'{"status":200,"type":"text/plain"}'


class Link:
    """What a replica was sent, and asked for."""

    descriptors = False

    def __init__(self) -> None:
        self.parser = Parser()
        self.sent: list[Frame] = []
        self.interrupted: list[int] = []
        self.ended = 0

    def send(self, data: bytes, fd: int | None = None) -> None:
        self.sent.extend(self.parser.feed(data))

    def interrupt(self, id: int) -> None:
        self.interrupted.append(id)

    def end_hung(self) -> None:
        self.ended += 1

    def ids(self, kind: FrameKind = FrameKind.REQUEST) -> list[int]:
        return [frame.id for frame in self.sent if frame.kind == kind]


class Made:
    """A dispatcher and its replicas."""

    def __init__(self, replicas: int = 1, deadline: float | None = None) -> None:
        self.dispatcher = Dispatcher("m", max_queue=100, deadline=deadline)
        self.links = [self.add() for _ in range(replicas)]

    def add(self) -> Link:
        replica, link = Replica(), Link()
        replica.ready, replica.link = True, link
        self.dispatcher.replicas.append(replica)
        return link

    @property
    def replica(self) -> Replica:
        return self.dispatcher.replicas[0]

    def submit(self, body: bytes = b"x", retry: bool = True, waiter: Any = None) -> Pending:
        return self.dispatcher.submit(META, body, retry, waiter)

    def frames(self, *frames: Frame) -> None:
        self.dispatcher.on_frames(self.replica, list(frames))


def reply(pending: Pending, body: bytes = b"y", meta: bytes = GOOD, flags: int = 0) -> Frame:
    return Frame(FrameKind.REPLY, flags, pending.id, meta, body)


def error(pending: Pending, kind: str, **facts: Any) -> Frame:
    wire = {"kind": kind, "message": "as asked", "facts": facts}
    return Frame(FrameKind.ERROR, 0, pending.id, json.dumps(wire).encode(), b"")


def on_loop(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(scenario())  # type: ignore[arg-type]


class Waiter:
    """Fails when it is given its answer, as a connection may."""

    exchange = None

    def __init__(self) -> None:
        self.given: list[object] = []

    def done(self) -> bool:
        return bool(self.given)

    def set_result(self, result: Result) -> None:
        self.given.append(result)
        raise KeyError(2000)

    def set_exception(self, error: PolyhostError) -> None:
        self.given.append(error)
        raise KeyError(2000)

    def cancel(self) -> bool:
        return True


BAD_METAS = [b"", b"[1]", b'{"status":2000,"type":""}', b'{"status":200,"type":"a\\nb"}']


@pytest.mark.parametrize("meta", BAD_METAS)
def test_a_reply_that_cannot_be_written_fails_alone(meta: bytes) -> None:
    async def scenario() -> None:
        made = Made()
        made.dispatcher.set_room(8, 1)
        bad, good = made.submit(), made.submit()
        made.frames(reply(bad, meta=meta), reply(good))
        assert (await good.future).body == b"y"
        with pytest.raises(InvalidOutput):
            await bad.future
        assert made.dispatcher.busy == 0

    on_loop(scenario)


def test_a_file_of_such_a_reply_is_closed() -> None:
    async def scenario() -> None:
        made = Made()
        bad = made.submit()
        reader, writer = os.pipe()
        os.close(writer)
        made.frames(reply(bad, b"", meta=b"{}")._replace(fd=reader, flags=FrameFlag.FD))
        with pytest.raises(InvalidOutput):
            await bad.future
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(reader)

    on_loop(scenario)


def test_a_stream_that_cannot_begin_is_stopped_and_keeps_its_place_until_it_has() -> None:
    async def scenario() -> None:
        made = Made()
        bad = made.submit()
        made.frames(reply(bad, meta=b"{}", flags=FrameFlag.MORE))
        with pytest.raises(InvalidOutput):
            await bad.future
        assert made.links[0].ids(FrameKind.CANCEL) == [bad.id]
        assert made.dispatcher.busy == 1
        made.frames(
            reply(bad, meta=b"", flags=FrameFlag.MORE), error(bad, "RequestCancelled"), reply(bad)
        )
        assert made.dispatcher.busy == 0

    on_loop(scenario)


@pytest.mark.parametrize("refused", [False, True])
def test_a_waiter_that_fails_ends_only_itself(refused: bool) -> None:
    async def scenario() -> None:
        made = Made()
        made.dispatcher.set_room(8, 1)
        failing, good = made.submit(waiter=Waiter()), made.submit()
        first = error(failing, "ModelError") if refused else reply(failing)
        made.frames(first, reply(good))
        assert (await good.future).body == b"y"
        assert made.dispatcher.busy == 0

    on_loop(scenario)


@pytest.mark.parametrize("meta", [b"{", b"[]", b'{"kind":"ModelError","facts":{"message":"m"}}'])
def test_an_error_that_cannot_be_read_is_an_error_of_its_request(meta: bytes) -> None:
    async def scenario() -> None:
        made = Made()
        made.dispatcher.set_room(8, 1)
        bad, good = made.submit(), made.submit()
        made.frames(Frame(FrameKind.ERROR, 0, bad.id, meta, b""), reply(good))
        assert (await good.future).body == b"y"
        with pytest.raises(InvalidOutput, match="cannot be used"):
            await bad.future

    on_loop(scenario)


def test_a_status_that_no_answer_has_is_an_error_of_the_model() -> None:
    async def scenario() -> None:
        made = Made()
        asked = made.submit()
        made.frames(error(asked, "GuestStatus", status=2000, hook="score"))
        with pytest.raises(ModelError, match="HTTP status 2000") as caught:
            await asked.future
        assert type(caught.value) is ModelError

    on_loop(scenario)


# Deadlines


def late(made: Made, seconds: float) -> None:
    """Look at the deadlines, so many seconds from now."""
    made.dispatcher.sweep(time.monotonic() + seconds)


def test_a_late_request_is_run_once_while_another_waits() -> None:
    async def scenario() -> None:
        made = Made(deadline=3)
        slow, behind = made.submit(), made.submit()
        late(made, 3.1)
        (link,) = made.links
        assert link.interrupted == [slow.id]
        made.frames(error(slow, "WorkerTimeout"))
        with pytest.raises(WorkerTimeout, match="deadline of 3 s"):
            await slow.future
        made.frames(reply(behind))
        assert (await behind.future).body == b"y"
        assert link.ids() == [slow.id, behind.id]

    on_loop(scenario)


def test_one_that_shared_its_call_runs_once_more_alone() -> None:
    async def scenario() -> None:
        made = Made(deadline=3)
        made.dispatcher.set_room(8, 1)
        slow, shared = made.submit(), made.submit()
        made.frames(*(error(one, "WorkerTimeout", shared=True) for one in (slow, shared)))
        (link,) = made.links
        assert [frame.id for frame in link.sent if frame.flags & FrameFlag.SOLO] == [shared.id]
        made.frames(reply(shared))
        made.frames(error(slow, "WorkerTimeout"))
        with pytest.raises(WorkerTimeout):
            await slow.future
        assert (await shared.future).body == b"y"
        assert sorted(link.ids()) == sorted([slow.id, shared.id] * 2)

    on_loop(scenario)


def test_one_that_cannot_be_interrupted_is_answered_before_its_worker_has_ended() -> None:
    async def scenario() -> None:
        made = Made(deadline=3)
        slow, behind = made.submit(), made.submit()
        late(made, 3.1)
        late(made, 3.1 + INTERRUPT_GRACE + 0.1)
        late(made, 9.0)
        (link,) = made.links
        assert link.ended == 1
        with pytest.raises(WorkerTimeout):
            await slow.future
        assert not behind.future.done()
        made.add()
        made.dispatcher.on_death(made.replica, WorkerCrashed("killed", exit_code=-9))
        assert made.dispatcher.replicas[0].inflight == {behind.id: behind}
        made.frames(reply(behind))
        assert (await behind.future).body == b"y"

    on_loop(scenario)


def test_small_requests_go_to_the_replica_that_batches_them() -> None:
    async def scenario() -> None:
        made = Made(replicas=2)
        dispatcher = made.dispatcher
        dispatcher.set_room(batch=4, calls=1)
        assert dispatcher.balance is not None
        dispatcher.balance.width = 1
        for _ in range(10):
            made.submit()
        assert [len(link.ids()) for link in made.links] == [8, 2]  # the window, and the rest
        dispatcher.balance.width = 0
        for _ in range(4):
            made.submit()
        assert [len(link.ids()) for link in made.links] == [8, 6]

    asyncio.run(scenario())


def test_small_requests_do_not_wait_behind_a_long_call() -> None:
    async def scenario() -> None:
        made = Made(replicas=2)
        dispatcher = made.dispatcher
        dispatcher.set_room(batch=4, calls=1)
        assert dispatcher.balance is not None
        dispatcher.balance.width = 1
        made.submit(b"large")
        made.replica.progress -= 1.0
        for _ in range(3):
            made.submit()
        assert [len(link.ids()) for link in made.links] == [1, 3]
        dispatcher.replicas[1].progress -= 1.0  # both: then the least busy
        made.submit()
        assert [len(link.ids()) for link in made.links] == [2, 3]

    asyncio.run(scenario())


def test_a_model_whose_requests_share_no_calls_uses_every_replica() -> None:
    async def scenario() -> None:
        made = Made(replicas=2)
        made.dispatcher.set_room(batch=1, calls=1)
        assert made.dispatcher.balance is None
        for _ in range(4):
            made.submit()
        assert [len(link.ids()) for link in made.links] == [2, 2]

    asyncio.run(scenario())


def test_what_waits_without_a_worker_is_refused_in_the_end() -> None:
    async def scenario() -> None:
        made = Made()
        asked = made.submit()
        late(made, 0)
        made.dispatcher.on_death(made.replica, WorkerCrashed("killed", exit_code=-9, outside=True))
        assert made.dispatcher.queue.first is asked
        late(made, 1)
        late(made, STRANDED)
        assert not asked.future.done()
        late(made, STRANDED + 1.1)
        with pytest.raises(WorkerNotReady, match="no worker for 30 s") as caught:
            await asked.future
        assert caught.value.retry_after == 5

    on_loop(scenario)


def test_the_first_worker_may_take_longer() -> None:
    async def scenario() -> None:
        made = Made(replicas=0)
        asked = made.submit()
        for seconds in (0, 10 * STRANDED):
            late(made, seconds)
        assert not asked.future.done()
        made.add()
        made.dispatcher.dispatch()
        made.frames(reply(asked))
        assert (await asked.future).body == b"y"

    on_loop(scenario)


def test_a_fault_with_one_replica_does_not_keep_the_others_from_being_judged() -> None:
    async def scenario() -> None:
        made = Made(replicas=2, deadline=3)
        for _ in range(2):
            made.submit()

        def broken(id: int) -> None:
            raise KeyError(id)

        first, second = made.links
        first.interrupt = broken  # type: ignore[method-assign]
        with pytest.raises(KeyError):
            late(made, 3.1)
        assert len(second.interrupted) == 1

    on_loop(scenario)


# Ends of workers


@pytest.mark.parametrize(("by_request", "sent"), [(True, 1), (False, 2)])
def test_a_request_that_is_known_to_be_the_cause_is_not_tried_again(
    by_request: bool, sent: int
) -> None:
    async def scenario() -> None:
        made = Made(replicas=2)
        first, second = made.links
        asked = made.submit()
        facts = {"by_request": True} if by_request else {}
        crash = WorkerCrashed("over its limit", exit_code=-9, **facts)
        made.dispatcher.on_death(made.replica, crash)
        assert len(first.ids()) + len(second.ids()) == sent
        if by_request:
            with pytest.raises(WorkerCrashed, match="over its limit"):
                await asked.future
            again = made.submit()  # suspected: the next one runs alone, and decides
            assert (again.tries, again.solo) == (2, True)
            made.dispatcher.on_death(made.replica, crash)
            with pytest.raises(WorkerCrashed, match="over its limit"):
                await again.future
            with pytest.raises(WorkerCrashed, match="it is refused"):
                made.submit()

    on_loop(scenario)

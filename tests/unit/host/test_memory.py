"""Workers over their memory limit: who is to blame, and what becomes of the request."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from polyhost.errors import WorkerCrashed
from polyhost.host import memory
from polyhost.host.memory import MemoryUse, MemoryWatch

MIB = 1 << 20


class Worker:
    pid = 4711
    exit_code: int | None = None
    killed = False

    def kill(self) -> None:
        self.killed = True


class Member:
    def __init__(self) -> None:
        self.worker: Any = Worker()
        self.ready = True
        self.begins = False
        self.inflight: dict[int, Any] = {}
        self.memory = MemoryUse()


def look(monkeypatch: pytest.MonkeyPatch, *sizes: tuple[int, bool]) -> tuple[Member, MemoryWatch]:
    """Look at a worker that has these sizes, with a request or without."""
    member = Member()

    async def main() -> MemoryWatch:
        tasks: list[asyncio.Task[None]] = []

        def spawn(work: Coroutine[Any, Any, None]) -> None:
            tasks.append(asyncio.create_task(work))

        watch = MemoryWatch("m", 1000 * MIB, spawn)
        for number, (size, busy) in enumerate(sizes, start=1):
            monkeypatch.setattr(memory, "_resident", lambda pid, size=size: size)
            monkeypatch.setattr(memory, "_pss", lambda pid, size=size: size - 50 * MIB)
            member.inflight = {1: object()} if busy else {}
            watch.look([member], number * memory.LOOK)
            while tasks:
                await tasks.pop()
        return watch

    return member, asyncio.run(main())


def crash_of(made: tuple[Member, MemoryWatch]) -> WorkerCrashed:
    member, watch = made
    assert member.worker.killed
    return watch.crash(member.memory, WorkerCrashed("killed", exit_code=-9))


def test_one_that_grew_during_a_request_is_that_requests_doing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = crash_of(look(monkeypatch, (100 * MIB, False), (1100 * MIB, True)))
    assert found.message == (
        f"the model's process was ended at {1050 * MIB} bytes of memory: its limit is "
        f"{1000 * MIB}. Raise the limit, or send fewer rows at a time."
    )
    assert found.facts == {"exit_code": -9, "by_request": True}


@pytest.mark.parametrize(
    "sizes",
    [
        [(900 * MIB, False), (1100 * MIB, True)],  # it leaked before
        [(1100 * MIB, True)],  # nobody has seen it idle
    ],
)
def test_else_nobody_knows(monkeypatch: pytest.MonkeyPatch, sizes: list[tuple[int, bool]]) -> None:
    assert "by_request" not in crash_of(look(monkeypatch, *sizes)).facts


def test_shared_pages_are_counted_fairly(monkeypatch: pytest.MonkeyPatch) -> None:
    member, _ = look(monkeypatch, (1040 * MIB, False))
    assert not member.worker.killed

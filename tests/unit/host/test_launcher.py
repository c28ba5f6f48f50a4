"""Where workers come from: forked where that can be, spawned where it cannot."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from polyhost.data.target import Target, TargetType
from polyhost.errors import WorkerCrashed
from polyhost.host import launcher
from polyhost.host.launcher import Launcher
from polyhost.host.sockets import Sockets
from polyhost.host.warm_parent import ForkLost
from polyhost.predictor import ModelSpec

SPEC = ModelSpec(Path("/nowhere"), "python", Target(TargetType.REGRESSION))
FORKED, SPAWNED = 1001, 2002


class Parent:
    """A fork server that answers with what it is given."""

    made: ClassVar[list[Parent]] = []
    answers: ClassVar[list[Any]] = []

    def __init__(self, name: str, language: str, env: Mapping[str, str]) -> None:
        self.name = name
        self.env = env
        self.alive = True
        self.asked: list[tuple[dict[str, str], Mapping[str, Any]]] = []
        self.made.append(self)

    async def fork(
        self, spec: ModelSpec, env: dict[str, str], sockets: Sockets, setup: Mapping[str, Any]
    ) -> int | None:
        self.asked.append((env, setup))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        found: int | None = answer
        return found

    def close(self) -> None:
        self.alive = False


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Calls of ``spawn``: interpreter, environment, setup."""
    calls: list[tuple[Any, ...]] = []

    def spawn(python: str | None, env: dict[str, str], sockets: Sockets, setup: Any = None) -> int:
        calls.append((python, env, setup))
        return SPAWNED

    monkeypatch.setattr(launcher, "spawn", spawn)
    monkeypatch.setattr(launcher, "WarmParent", Parent)
    Parent.made.clear()
    Parent.answers.clear()
    return calls


def run(scenario: Callable[[Launcher, Sockets], Awaitable[None]], warm: bool = True) -> None:
    async def main() -> None:
        launcher = Launcher(warm=warm, mark={"MARK": "host"})
        sockets = Sockets()
        try:
            await scenario(launcher, sockets)
        finally:
            launcher.close()
            sockets.close_worker_ends()
            sockets.close()

    asyncio.run(main())


def test_a_worker_is_forked_with_the_hosts_mark(spawned: list[Any]) -> None:
    async def scenario(launcher: Launcher, sockets: Sockets) -> None:
        Parent.answers.append(FORKED)
        pid = await launcher.start(SPEC, None, {"A": "b"}, sockets, {"cores": [0]})
        assert (pid, launcher.started, spawned) == (FORKED, {FORKED}, [])
        (parent,) = Parent.made
        assert parent.asked == [({"A": "b", "MARK": "host"}, {"cores": [0]})]
        assert parent.env["MARK"] == "host"

    run(scenario)


def test_what_cannot_be_forked_is_spawned(spawned: list[Any]) -> None:
    async def scenario(launcher: Launcher, sockets: Sockets) -> None:
        Parent.answers.append(None)
        assert await launcher.start(SPEC, None, {"A": "b"}, sockets) == SPAWNED
        assert launcher.started == {SPAWNED}
        assert spawned == [(None, {"A": "b", "MARK": "host"}, {})]

    run(scenario)


def test_another_interpreter_is_spawned_and_needs_no_fork_server(spawned: list[Any]) -> None:
    async def scenario(launcher: Launcher, sockets: Sockets) -> None:
        assert await launcher.start(SPEC, "/usr/bin/python3", {}, sockets) == SPAWNED
        assert Parent.made == []
        assert spawned[0][0] == "/usr/bin/python3"

    run(scenario)


def test_a_fork_that_got_lost_is_not_spawned_over_the_same_sockets(spawned: list[Any]) -> None:
    async def scenario(launcher: Launcher, sockets: Sockets) -> None:
        Parent.answers.append(ForkLost("it ended", exit_code=0))
        with pytest.raises(ForkLost):
            await launcher.start(SPEC, None, {}, sockets)
        assert (spawned, launcher.started) == ([], set())

    run(scenario)


def test_a_fork_server_that_has_ended_is_followed_by_another(spawned: list[Any]) -> None:
    async def scenario(launcher: Launcher, sockets: Sockets) -> None:
        Parent.answers += [FORKED, FORKED + 1, FORKED + 2]
        for _ in range(2):
            await launcher.start(SPEC, None, {}, sockets)
        assert len(Parent.made) == 1
        Parent.made[0].alive = False
        assert await launcher.start(SPEC, None, {}, sockets) == FORKED + 2
        assert len(Parent.made) == 2

    run(scenario)


def test_fork_servers_that_are_let_go_are_started_again_for_the_next_worker(
    spawned: list[Any],
) -> None:
    async def scenario(launcher: Launcher, sockets: Sockets) -> None:
        Parent.answers += [FORKED, FORKED + 1]
        await launcher.start(SPEC, None, {}, sockets)
        launcher.end_parents()
        assert [parent.alive for parent in Parent.made] == [False]
        assert await launcher.start(SPEC, None, {}, sockets) == FORKED + 1
        assert [parent.alive for parent in Parent.made] == [False, True]

    run(scenario)


def test_a_host_that_ends_starts_no_worker(spawned: list[Any]) -> None:
    async def scenario(launcher: Launcher, sockets: Sockets) -> None:
        launcher.close()
        with pytest.raises(WorkerCrashed, match="the host is ending"):
            await launcher.start(SPEC, None, {}, sockets)
        assert (spawned, Parent.made) == ([], [])

    run(scenario)

"""The host's half of the fork server's protocol; the test answers in the fork server's place."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from polyhost.data.target import Target, TargetType
from polyhost.host import warm_parent
from polyhost.host.sockets import Sockets
from polyhost.host.warm_parent import ForkLost, WarmParent
from polyhost.predictor import ModelSpec
from polyhost.wire import descriptors

SPEC = ModelSpec(Path("/nowhere"), "python", Target(TargetType.REGRESSION))


class ForkServer:
    """Takes the commands of a warm parent, and answers as it is told to."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    async def command(self) -> tuple[int, dict[str, Any]]:
        """The next command's number and content."""
        await asyncio.to_thread(select.select, [self.sock], [], [], 10)
        data, fds = descriptors.receive(self.sock, 1 << 16)
        assert len(fds) == 5
        with open(fds[0], "rb") as file:
            file.seek(0)
            content = json.load(file)
        for fd in fds[1:]:
            os.close(fd)
        return json.loads(data)["number"], content

    def answer(self, **message: Any) -> None:
        self.sock.send(json.dumps(message).encode())

    def process(self) -> int:
        """A process that is nobody's yet."""
        return os.posix_spawn("/bin/sleep", ["sleep", "600"], {}, setsid=True)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Callable[[], tuple[WarmParent, ForkServer]]:
    """Makes a warm parent whose fork server is the test."""

    class Process:
        pid = 0

        def __init__(self, *args: object, pass_fds: tuple[int, ...], **named: object) -> None:
            self.fd = os.dup(pass_fds[0])
            self.killed = False

        def poll(self) -> int | None:
            return -9 if self.killed else None

        def kill(self) -> None:
            self.killed = True

        def wait(self) -> None:
            pass

    def make() -> tuple[WarmParent, ForkServer]:
        parent = WarmParent("python", "python", {})
        sock = socket.socket(fileno=parent._process.fd)  # type: ignore[attr-defined]
        sock.send(b'{"ready": 1, "threads": 1}')
        return parent, ForkServer(sock)

    monkeypatch.setattr(warm_parent.subprocess, "Popen", Process)
    return make


Scenario = Callable[[WarmParent, ForkServer], Awaitable[None]]


def run(made: Callable[[], tuple[WarmParent, ForkServer]], scenario: Scenario) -> None:
    async def main() -> None:
        parent, server = made()
        with server.sock:
            try:
                await asyncio.wait_for(scenario(parent, server), 30)
            finally:
                parent.close()

    asyncio.run(main())


def fork(parent: WarmParent, spec: ModelSpec = SPEC) -> asyncio.Task[int | None]:
    """Ask for a worker, with sockets that are closed however it ends."""

    async def ask() -> int | None:
        sockets = Sockets()
        try:
            return await parent.fork(spec, {"A": "b"}, sockets, {"cores": [0]})
        finally:
            sockets.close_worker_ends()
            sockets.close()

    return asyncio.create_task(ask())


def test_a_command_is_answered_with_its_pid(made: Any) -> None:
    async def scenario(parent: WarmParent, server: ForkServer) -> None:
        asked = fork(parent)
        number, content = await server.command()
        assert (content["cmd"], content["env"], content["setup"]) == (
            "fork",
            {"A": "b"},
            {"cores": [0]},
        )
        server.answer(number=number, pid=4711)
        assert await asked == 4711

    run(made, scenario)


def test_a_spec_with_very_many_labels_fits(made: Any) -> None:
    labels = tuple(f"a label of some length with the number {i}" for i in range(50_000))
    spec = ModelSpec(Path("/nowhere"), "python", Target(TargetType.MULTICLASS, labels))

    async def scenario(parent: WarmParent, server: ForkServer) -> None:
        asked = fork(parent, spec)
        number, content = await server.command()
        assert tuple(content["spec"]["target"]["labels"]) == labels
        server.answer(number=number, pid=4711)
        assert await asked == 4711

    run(made, scenario)


def test_the_worker_of_a_cancelled_command_is_ended_and_the_next_gets_its_own(made: Any) -> None:
    async def scenario(parent: WarmParent, server: ForkServer) -> None:
        asked = fork(parent)
        number, _ = await server.command()
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        unwanted, wanted = server.process(), server.process()
        server.answer(number=number, pid=unwanted)
        behind = fork(parent)
        number, _ = await server.command()
        server.answer(number=number, pid=wanted)
        assert await behind == wanted
        while Path(f"/proc/{unwanted}").exists():  # until it has been reaped
            await asyncio.sleep(0.01)
        assert Path(f"/proc/{wanted}").exists()
        os.kill(wanted, signal.SIGKILL)
        os.waitpid(wanted, 0)

    run(made, scenario)


def test_one_that_is_cancelled_before_its_turn_is_never_sent(made: Any) -> None:
    async def scenario(parent: WarmParent, server: ForkServer) -> None:
        first, second, third = fork(parent), fork(parent), fork(parent)
        number, _ = await server.command()
        second.cancel()
        server.answer(number=number, pid=1001)
        assert await first == 1001
        last, _ = await server.command()
        assert last > number
        server.answer(number=last, pid=1003)
        assert await third == 1003
        with pytest.raises(asyncio.CancelledError):
            await second

    run(made, scenario)


def test_an_answer_to_another_command_is_dropped(made: Any) -> None:
    async def scenario(parent: WarmParent, server: ForkServer) -> None:
        asked = fork(parent)
        number, _ = await server.command()
        stale = server.process()
        server.answer(number=number - 1, pid=stale)
        server.answer(number=number, pid=4711)
        assert await asked == 4711
        while Path(f"/proc/{stale}").exists():
            await asyncio.sleep(0.01)

    run(made, scenario)


def test_a_refusal_has_the_host_spawn_instead(made: Any) -> None:
    async def scenario(parent: WarmParent, server: ForkServer) -> None:
        asked = fork(parent)
        number, _ = await server.command()
        server.answer(number=number, refused="it has 2 threads")
        assert await asked is None
        assert parent.alive

    run(made, scenario)


@pytest.mark.parametrize("answer", [b"", b"[]", b"{"])
def test_one_that_fails_with_a_command_leaves_its_sockets_alone(made: Any, answer: bytes) -> None:
    """A worker may have been forked over them: they must not be another's as well."""

    async def scenario(parent: WarmParent, server: ForkServer) -> None:
        asked = fork(parent)
        await server.command()
        if answer:
            server.sock.send(answer)
        else:
            server.sock.shutdown(socket.SHUT_RDWR)
        with pytest.raises(ForkLost):
            await asked
        assert not parent.alive

    run(made, scenario)

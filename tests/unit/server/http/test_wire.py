"""What all connections of a process share: they are looked at for as long as it serves."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from typing import Any, cast

import pytest

from polyhost.server.http import tls
from polyhost.server.http.heads import HostRule
from polyhost.server.http.wire import Wire
from polyhost.settings import HostLimits


def make_wire() -> Wire:
    return Wire(HostLimits(), cast(Any, None), HostRule())


class Looked:
    """A connection as far as it is looked at."""

    def __init__(self, look: Callable[[float], None]) -> None:
        self.look = look


def broken(now: float) -> None:
    raise KeyError("a mistake of ours")


def test_a_connection_that_cannot_be_looked_at_ends_the_looking_at_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    looks: list[float] = []

    async def scenario() -> None:
        wire = make_wire()
        wire.sweeper = type(wire.sweeper)(0.001)
        wire.sweeper.parts.append(wire.look)
        enough = asyncio.Event()

        def counted(now: float) -> None:
            looks.append(now)
            if len(looks) == 5:
                enough.set()

        wire.connections.update(cast(Any, map(Looked, (broken, counted, broken))))
        wire.sweeper.start()
        await asyncio.wait_for(enough.wait(), 10)
        wire.sweeper.stop()

    with caplog.at_level(logging.ERROR):
        asyncio.run(scenario())
    assert len(looks) >= 5
    assert {record.exc_info[0] for record in caplog.records if record.exc_info} == {KeyError}
    assert len(caplog.records) == 1  # not one for each look


def test_a_client_whose_acceptance_fails_keeps_out_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> list[Any]:
        wire = make_wire()
        begun: list[Any] = []
        both = asyncio.Event()

        def run(coroutine: Any) -> None:
            clients = [coroutine.cr_frame.f_locals["client"]]
            coroutine.close()
            begun.append(coroutine)
            if len(begun) == 1:
                raise MemoryError("a mistake of ours")
            clients.pop().close()
            both.set()

        wire.run = run  # type: ignore[method-assign]
        with socket.create_server(("127.0.0.1", 0)) as listener:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            accepting = asyncio.create_task(tls.accept(wire, context, listener))
            with socket.create_connection(listener.getsockname(), timeout=10) as first:
                assert await asyncio.to_thread(first.recv, 1) == b""  # closed
            with socket.create_connection(listener.getsockname(), timeout=10):
                await asyncio.wait_for(both.wait(), 10)
            accepting.cancel()
        return begun

    with caplog.at_level(logging.ERROR):
        begun = asyncio.run(scenario())
    assert len(begun) == 2
    assert "could not be accepted" in caplog.text

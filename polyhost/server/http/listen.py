"""Listen for clients with uvicorn, until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
from dataclasses import replace
from functools import partial
from typing import Any, Callable, Iterator, cast

import uvicorn

from polyhost.server.auth import gated
from polyhost.server.credentials import Access
from polyhost.server.http.connection import Wire
from polyhost.server.http.fast_path import FastProtocol
from polyhost.settings import ServerSettings

BACKLOG = 2048


def runner() -> Callable[[Any], Any]:
    """What runs a coroutine to its end: uvloop where it is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run
    run: Callable[[Any], Any] = uvloop.run
    return run


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the exit code is ours to decide."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def listen(
    app: Any, settings: ServerSettings, access: Access, sock: socket.socket, stop: asyncio.Event
) -> None:
    """Serve an ASGI app on a bound socket; what was accepted is answered within the grace.

    An app's ``fast``, if it has one, holds its routes that have a short way, as they are now.
    """
    local = sock.family == socket.AF_UNIX  # behind fronts, which have had a look already
    limits = replace(settings.limits, max_connections=None) if local else settings.limits
    wire = Wire(limits, settings.fronts)
    config = uvicorn.Config(
        gated(app, access.keys, settings.url_prefix),
        http=cast(Any, partial(FastProtocol, wire, getattr(app, "fast", {}), access.keys)),
        proxy_headers=False,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        lifespan="off",
        backlog=BACKLOG,
        timeout_graceful_shutdown=max(1, round(settings.grace)),
    )
    config.load()
    if not local:
        config.ssl = access.context
    gc.freeze()  # what lives as long as the server need not be looked through again and again
    watching = asyncio.create_task(wire.watch())
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[sock]))
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    stopping.cancel()
    await serving
    watching.cancel()

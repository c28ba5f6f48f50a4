"""Listen for clients, until stopped."""

from __future__ import annotations

import asyncio
import gc
import socket
from dataclasses import replace
from typing import Any, Callable

from polyhost.server.auth import gated
from polyhost.server.credentials import Access
from polyhost.server.http.connection import Connection
from polyhost.server.http.fast_path import Turns
from polyhost.server.http.heads import HostRule
from polyhost.server.http.tls import Handshake
from polyhost.server.http.wire import Wire
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


async def listen(
    app: Any, settings: ServerSettings, access: Access, sock: socket.socket, stop: asyncio.Event
) -> None:
    """Serve an ASGI app on a bound socket; what was accepted is answered within the grace.

    An app's ``fast``, if it has one, holds its routes that have a short way, as they are now.
    """
    local = sock.family == socket.AF_UNIX  # behind fronts, which have had a look already
    limits = replace(settings.limits, max_connections=None) if local else settings.limits
    gate = gated(app, access.keys, settings.url_prefix)
    turns = Turns(gate, getattr(app, "fast", {}), access.keys)
    wire = Wire(limits, turns, HostRule(), settings.fronts)
    loop = asyncio.get_running_loop()
    gc.freeze()  # what lives as long as the server need not be looked through again and again
    context = None if local else access.context

    def accept() -> asyncio.BaseProtocol:
        return Connection(wire) if context is None else Handshake(wire, context)

    if context is not None:
        wire.scheme = "https"
    server: Any
    if local:
        server = await loop.create_unix_server(accept, sock=sock, backlog=BACKLOG)
    else:
        server = await loop.create_server(accept, sock=sock, backlog=BACKLOG)
    watching = asyncio.create_task(wire.watch())
    await stop.wait()
    server.close()
    await wire.drain(settings.grace)
    watching.cancel()

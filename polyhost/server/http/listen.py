"""Listen for clients, until stopped."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
from dataclasses import replace
from typing import Any, Callable, Optional, cast

from polyhost.host.shared_counts import SharedCount
from polyhost.server.credentials import Access
from polyhost.server.http import tls
from polyhost.server.http.connection import Connection
from polyhost.server.http.fast_path import Turns
from polyhost.server.http.heads import HostRule, is_loopback
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


def host_rule(settings: ServerSettings) -> HostRule:
    """Which values of Host are answered.

    A page in a browser can reach a server on loopback under a name of its own, whose address it
    changes (DNS rebinding). Where no key keeps it out, only known names are answered.
    """
    names = settings.allowed_hosts
    exposed = not settings.keys and is_loopback(settings.address_host)
    return HostRule(names if (exposed or names) and "*" not in names else None)


async def listen(
    app: Any,
    settings: ServerSettings,
    access: Access,
    sock: socket.socket,
    stop: asyncio.Event,
    connected: Optional[SharedCount] = None,
) -> None:
    """Serve an ASGI app on a bound socket; what was accepted is answered within the grace.

    An app's ``fast``, if it has one, holds its routes that have a short way, as they are now.
    ``connected``: the number of connections that several fronts keep together.
    """
    local = sock.family == socket.AF_UNIX  # behind fronts, which have had a look already
    limits = replace(settings.limits, max_connections=None) if local else settings.limits
    turns = Turns(app, getattr(app, "fast", {}))
    wire = Wire(limits, turns, HostRule() if local else host_rule(settings), connected)
    gc.freeze()  # what lives as long as the server need not be looked through again and again
    context = None if local else access.context
    server = await _start(wire, sock, context)
    wire.sweeper.start()
    await stop.wait()
    server.close()
    await wire.drain(settings.grace)
    wire.sweeper.stop()


async def _start(wire: Wire, sock: socket.socket, context: Optional[ssl.SSLContext]) -> Any:
    """Begin to accept clients; what is returned can be closed."""
    if context is not None:
        wire.scheme = "https"
        sock.listen(BACKLOG)
        return _Accepting(asyncio.ensure_future(tls.accept(wire, context, sock)), sock)
    start = wire.loop.create_server
    if sock.family == socket.AF_UNIX:
        start = cast(Any, wire.loop.create_unix_server)
    return await start(lambda: Connection(wire), sock=sock, backlog=BACKLOG)


class _Accepting:
    def __init__(self, task: asyncio.Future[None], sock: socket.socket) -> None:
        self._task = task
        self._sock = sock

    def close(self) -> None:
        """Accept no further client."""
        self._task.cancel()
        self._sock.close()

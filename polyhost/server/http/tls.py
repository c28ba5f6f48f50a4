"""Encryption of a server's connections."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import ssl
import stat

from polyhost.errors import SettingsError
from polyhost.server.http.connection import Connection
from polyhost.server.http.wire import Wire
from polyhost.settings import Tls

logger = logging.getLogger(__name__)

PAUSE = 0.5
"""Seconds between two tries to accept a client where descriptors or memory lack."""
_LACKS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


def context(tls: Tls) -> ssl.SSLContext:
    """What connections are encrypted with; SettingsError when the two files cannot serve."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    load(made, tls)
    made.set_alpn_protocols(["http/1.1"])
    return made


def load(context: ssl.SSLContext, tls: Tls) -> None:
    """Have new connections encrypted with the two files as they are now; SettingsError as above."""
    try:
        context.load_cert_chain(tls.certificate, tls.key, password=_no_password)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise SettingsError(
            f"TLS cannot be set up: expected {tls.certificate} to hold a certificate chain in PEM, "
            f"and {tls.key} its key without a password; found: {reason}. Fix the files, or take "
            "tls away."
        ) from error


def _no_password() -> str:
    raise ValueError("the key has a password, and there is no terminal to type it at")


def exposed_key(tls: Tls) -> str:
    """What to warn of when others on this machine may read the key; empty when none may."""
    mode = stat.S_IMODE(os.stat(tls.key).st_mode)
    if not mode & 0o004:
        return ""
    return f"every user of this machine may read {tls.key} (mode {mode:o}): chmod 600 it."


class _Secure(Connection):
    """A connection that was a handshake until it is made."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.wire.handshakes.discard(self)
        super().connection_made(transport)


async def accept(wire: Wire, context: ssl.SSLContext, listener: socket.socket) -> None:
    """Make connections of the clients of a listening socket; never returns.

    A handshake counts as a connection, and has its time.
    """
    listener.setblocking(False)
    while True:
        try:
            client, _ = await wire.loop.sock_accept(listener)
        except OSError as error:
            if error.errno in _LACKS:
                logger.error("a client could not be accepted: %s", error.strerror)
                await asyncio.sleep(PAUSE)
            continue
        try:
            _begin(wire, context, client)
        except Exception:  # the fault of one client must not keep out all others
            logger.exception("a client could not be accepted")
            client.close()


def _begin(wire: Wire, context: ssl.SSLContext, client: socket.socket) -> None:
    if wire.full:
        client.close()
        return
    connection = _Secure(wire)
    wire.handshakes.add(connection)
    wire.publish()
    wire.run(_shake(connection, context, client))


async def _shake(connection: _Secure, context: ssl.SSLContext, client: socket.socket) -> None:
    wire = connection.wire
    try:
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await wire.loop.connect_accepted_socket(
            lambda: connection, client, ssl=context, ssl_handshake_timeout=wire.handshake
        )
    except (OSError, asyncio.TimeoutError) as error:  # ssl.SSLError is an OSError
        logger.debug("a TLS handshake failed: %s", error)
        client.close()
    finally:
        wire.handshakes.discard(connection)
        wire.publish()

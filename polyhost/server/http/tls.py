"""Encryption of a server's connections."""

from __future__ import annotations

import asyncio
import os
import ssl
import stat
from typing import Optional, cast

from polyhost.errors import SettingsError
from polyhost.server.http.connection import Connection
from polyhost.server.http.wire import Wire
from polyhost.settings import Tls


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


class Handshake(asyncio.Protocol):
    """The beginning of an encrypted connection. It counts as one, and has its time."""

    def __init__(self, wire: Wire, context: ssl.SSLContext) -> None:
        self._wire = wire
        self._context = context

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        wire = self._wire
        if wire.full:
            cast(asyncio.Transport, transport).abort()
            return
        wire.handshakes.add(self)
        cast(asyncio.Transport, transport).pause_reading()
        wire.run(self._shake(cast(asyncio.Transport, transport)))

    async def _shake(self, transport: asyncio.Transport) -> None:
        wire, connection = self._wire, _Early(self._wire)
        try:
            secure = await wire.loop.start_tls(
                transport,
                connection,
                self._context,
                server_side=True,
                ssl_handshake_timeout=wire.handshake,
            )
        except (OSError, asyncio.CancelledError):  # among them ssl.SSLError and TimeoutError
            transport.abort()
            return
        finally:
            wire.handshakes.discard(self)
        if secure is None:
            transport.abort()
        else:
            connection.connection_made(secure)


class _Early(Connection):
    """A connection that may hear from its client before it has its transport."""

    _early = b""
    _made = False
    _lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._made = True
        super().connection_made(transport)
        if self._lost:
            super().connection_lost(None)
        elif self._early:
            early, self._early = self._early, b""
            super().data_received(early)

    def data_received(self, data: bytes) -> None:
        if not self._made:
            self._early += data
        else:
            super().data_received(data)

    def connection_lost(self, exc: Optional[Exception]) -> None:
        if not self._made:
            self._lost = True
        else:
            super().connection_lost(exc)

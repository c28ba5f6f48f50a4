"""The gRPC server of a process: its port, certificate and limits."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, Optional

from polyhost.errors import RuntimeUnavailable, SettingsError
from polyhost.host.shared_counts import SharedCount
from polyhost.server.credentials import Access
from polyhost.server.http.listen import listen
from polyhost.settings import ServerSettings, Tls

LARGEST = (1 << 31) - 1
"""Bytes of the largest message that gRPC can carry."""


def check_installed() -> None:
    """Raise RuntimeUnavailable when grpcio is missing."""
    try:
        import grpc  # noqa: F401
    except ImportError as error:
        raise RuntimeUnavailable(
            f"grpc_port needs grpcio: {error}. Install it with: pip install 'polyhost[grpc]'"
        ) from error


def reserve(settings: ServerSettings) -> Optional[socket.socket]:
    """Bind the port, so that no other program has it, for the servers of all processes to share.

    None where there is to be none. SettingsError when the address is taken.
    """
    port = settings.grpc_port
    if port is None:
        return None
    check_installed()
    host = settings.address_host
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        _check_free(family, host, port)
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((host, port))
    except OSError as error:
        raise SettingsError(
            f"cannot listen for gRPC on {host}:{port}: {error.strerror or error}. Choose another "
            "grpc_port."
        ) from error
    return sock


def _check_free(family: int, host: str, port: int) -> None:
    """OSError when another program has the port, even one that would share it."""
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


async def serve_clients(
    app: Any,
    settings: ServerSettings,
    access: Access,
    sock: socket.socket,
    stop: asyncio.Event,
    connected: Optional[SharedCount] = None,
) -> None:
    """Answer clients until stopped: over HTTP, and over gRPC where it has a port."""
    server = GrpcServer(app, settings, access)
    await server.start()
    serving = asyncio.create_task(listen(app, settings, access, sock, stop, connected))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        await server.stop()
    await serving


class GrpcServer:
    """A gRPC server over an application, on the event loop that starts it."""

    def __init__(self, app: Any, settings: ServerSettings, access: Access) -> None:
        self._app = app
        self._settings = settings
        self._access = access
        self._server: Any = None

    async def start(self) -> None:
        """Accept clients from now on."""
        settings = self._settings
        if settings.grpc_port is None:
            return
        import grpc.aio

        from polyhost.server.grpc.handlers import Handlers

        largest = min(settings.limits.body_budget, LARGEST)
        options = (
            ("grpc.max_receive_message_length", largest),
            ("grpc.max_send_message_length", -1),
            ("grpc.max_metadata_size", settings.limits.max_header),
            ("grpc.so_reuseport", 1),
        )
        self._server = grpc.aio.server(
            handlers=[Handlers(self._app, settings.url_prefix)],
            options=options,
            maximum_concurrent_rpcs=settings.limits.max_connections,
        )
        host = settings.address_host
        place = f"[{host}]:{settings.grpc_port}" if ":" in host else f"{host}:{settings.grpc_port}"
        if settings.tls is None:
            self._server.add_insecure_port(place)
        else:
            self._server.add_secure_port(place, self._credentials(settings.tls))
        await self._server.start()

    async def stop(self) -> None:
        """Answer what was asked, within the grace."""
        if self._server is not None:
            await self._server.stop(self._settings.grace)

    def _credentials(self, tls: Tls) -> Any:
        """What connections are encrypted with: the two files, as they were last found right."""
        import grpc

        seen = self._access.certificate_changes

        def renewed() -> Any:
            nonlocal seen
            if seen == self._access.certificate_changes:
                return None
            seen = self._access.certificate_changes
            return _configuration(self._access.files or tls)

        return grpc.dynamic_ssl_server_credentials(_configuration(tls), renewed)


def _configuration(tls: Tls) -> Any:
    import grpc

    pair = (tls.key.read_bytes(), tls.certificate.read_bytes())
    return grpc.ssl_server_certificate_configuration([pair])

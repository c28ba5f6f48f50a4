"""Run a server to its end: bind, load, serve, drain, and the exit code."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Iterator, List, Optional

import uvicorn

from polyhost.deployment import Deployment, Reload
from polyhost.errors import PolyhostError, SettingsError
from polyhost.host import Host
from polyhost.server.admin import Admin
from polyhost.server.app import Front, build, build_error
from polyhost.server.observation import Observation
from polyhost.server.output import GuestOutput
from polyhost.server.reloader import Reloader
from polyhost.server.tracing import open_tracing
from polyhost.settings import ServerSettings
from polyhost.worker.pool import State

log = logging.getLogger(__name__)

BACKLOG = 2048


def serve(
    settings: ServerSettings, reload: Optional[Reload] = None, watched: Optional[Path] = None
) -> int:
    """Serve until a signal; the process's exit code (130 for ``polyhost server``, else 0).

    ``reload`` reads the configuration again: on SIGHUP, and when the file ``watched`` changes.
    """
    try:
        import uvloop

        runner: Any = uvloop.run
    except ImportError:
        runner = asyncio.run
    return int(runner(_serve(settings, reload, watched)))


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the exit code is ours to decide."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _bind(settings: ServerSettings) -> socket.socket:
    host, port = settings.address_host, settings.port
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {host}:{port}: {error.strerror or error}. Choose another address."
        ) from error
    sock.set_inheritable(False)
    return sock


async def _serve(
    settings: ServerSettings, reload: Optional[Reload], watched: Optional[Path]
) -> int:
    sock = _bind(settings)
    as_json = settings.log_format == "json"
    tracing = open_tracing(os.environ)
    watch = Observation(marks_output=as_json, access=settings.access_log, tracing=tracing)
    host = Host(
        GuestOutput(named=not settings.drum, json=as_json), observe=watch.of, limits=settings.limits
    )
    deployment = Deployment(host, settings, reload)
    reloader = Reloader(deployment, watched)
    stop = asyncio.Event()
    signals: List[int] = []

    def on_signal(number: int) -> None:
        signals.append(number)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)
    if reload is not None:
        loop.add_signal_handler(signal.SIGHUP, reloader.ask)
        host.on_sweep.append(reloader.sweep)
    try:
        code = await _run(settings, host, deployment, watch, sock, stop)
    finally:
        await host.stop(settings.grace)
        deployment.close()
        sock.close()
        if tracing is not None:
            tracing.close()
    if signals and settings.drum:
        sys.stdout.write("Ctrl+C pressed, aborting drum\n")
        return 130
    return code


async def _run(
    settings: ServerSettings,
    host: Host,
    deployment: Deployment,
    watch: Observation,
    sock: socket.socket,
    stop: asyncio.Event,
) -> int:
    failure = settings.failure
    loading: Optional[asyncio.Task[None]] = None
    if failure is None:
        loading = asyncio.create_task(_load(settings, host, deployment))
        if settings.drum:
            await _first(loading, stop)
            failure = _failure(host)
        else:
            await asyncio.sleep(0)  # every pool exists, loading, before the first request
    if stop.is_set():
        return 0
    if failure is not None and not settings.with_error_server:
        _report(failure, settings)
        return 1
    if failure is None:
        app = build(host, settings, watch)
        if settings.admin.enabled:
            admin = Admin(host, deployment, settings.url_prefix)
            app.mount(admin.path, admin)
    else:
        app = build_error(replace(settings, failure=failure))
    await _listen(app, settings, sock, stop)
    if loading is not None:
        loading.cancel()
        await asyncio.wait((loading,))
    return 0


async def _load(settings: ServerSettings, host: Host, deployment: Deployment) -> None:
    await host.start(settings.models)
    await deployment.reconcile()


async def _first(loading: asyncio.Task[None], stop: asyncio.Event) -> None:
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait((loading, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if loading.done():
        loading.result()


def _failure(host: Host) -> Optional[PolyhostError]:
    for pool in host.models.values():
        if pool.state is State.FAILED:
            return pool.reason
    return None


def _report(failure: PolyhostError, settings: ServerSettings) -> None:
    sys.stderr.write(f"polyhost: {failure.message}\n")
    trace = failure.facts.get("native_traceback")
    if settings.show_stacktrace and trace:
        sys.stderr.write(f"{trace}\n")


async def _listen(
    app: Front, settings: ServerSettings, sock: socket.socket, stop: asyncio.Event
) -> None:
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        lifespan="off",
        backlog=BACKLOG,
        timeout_graceful_shutdown=max(1, round(settings.grace)),
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[sock]))
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    stopping.cancel()
    await serving

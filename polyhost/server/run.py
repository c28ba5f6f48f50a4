"""Run a server to its end: bind, load, serve, drain, and the exit code."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, List, Optional, Tuple

from polyhost.config import Loaded
from polyhost.deploy import desired_state
from polyhost.deploy.deployer import Deployer, Reload
from polyhost.deploy.registry import follow_registry
from polyhost.deploy.reloader import Reloader
from polyhost.errors import NotTrained, PolyhostError, SettingsError
from polyhost.host.host import Host
from polyhost.host.pool import State
from polyhost.host.shared_counts import BODIES, SharedCounts
from polyhost.host.user import check_user, find_user
from polyhost.server import announce
from polyhost.server.app import add_admin, build, build_error
from polyhost.server.auth import check_exposure, gated
from polyhost.server.credentials import Access
from polyhost.server.extension import extended
from polyhost.server.fronts.forker import Forker, fork_fronts
from polyhost.server.fronts.front_process import serve_front
from polyhost.server.fronts.supervisor import Fronts
from polyhost.server.grpc.serving import reserve, serve_clients
from polyhost.server.http.listen import BACKLOG, listen, runner
from polyhost.server.watch.guest_output import GuestOutput
from polyhost.server.watch.instrument import Instruments
from polyhost.server.watch.tracing import open_tracing
from polyhost.settings import ServerSettings

logger = logging.getLogger(__name__)


def serve(
    settings: ServerSettings, reload: Optional[Reload] = None, loaded: Optional[Loaded] = None
) -> int:
    """Serve until a signal; the process's exit code (130 for ``polyhost server``, else 0).

    ``reload`` reads the configuration again: on SIGHUP, and when the file that ``loaded`` came
    from changes.
    """
    check_exposure(settings)
    check_user(settings)
    if settings.desired is not None:
        desired_state.check(settings.desired)
    sock = _bind(settings)
    settings = replace(settings, port=sock.getsockname()[1])
    reserved = reserve(settings)
    if reserved is not None:
        settings = replace(settings, grpc_port=reserved.getsockname()[1])
    if settings.fronts < 2:
        return int(runner()(_serve(settings, sock, reload, loaded)))
    return _serve_with_fronts(settings, sock, reload, loaded)


def _serve_with_fronts(
    settings: ServerSettings,
    sock: socket.socket,
    reload: Optional[Reload],
    loaded: Optional[Loaded],
) -> int:
    """Serve through fronts; this process keeps the models, and answers what they pass on."""
    sock.listen(BACKLOG)
    with tempfile.TemporaryDirectory(prefix="polyhost-fronts-") as folder:
        # The address of a local socket has 107 bytes at most; the temporary directory may be deeper.
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            place = f"/proc/self/fd/{held}/supervisor"
            counts = SharedCounts(writers=settings.fronts + 1)
            serve_one = partial(serve_front, supervisor=place, counts=counts)
            forker = fork_fronts(settings, sock, serve_one, counts)
            sock.close()
            local = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            local.bind(place)
            return int(runner()(_serve(settings, local, reload, loaded, (forker, counts))))
        finally:
            os.close(held)


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
    settings: ServerSettings,
    sock: socket.socket,
    reload: Optional[Reload],
    loaded: Optional[Loaded],
    forked: Optional[Tuple[Forker, SharedCounts]] = None,
) -> int:
    as_json = settings.log_format == "json"
    tracing = open_tracing(os.environ)
    watch = Instruments(marks_output=as_json, access=settings.access_log, tracing=tracing)
    host = Host(
        GuestOutput(named=not settings.drum, json=as_json),
        observe=watch.of,
        limits=settings.limits,
        worker_user=find_user(settings),
        bodies=None if forked is None else forked[1].count(BODIES, settings.fronts),
    )
    fronts = None if forked is None else Fronts(host, forked[0], settings, forked[1], watch.metrics)
    if fronts is not None:
        watch.busy_elsewhere = fronts.busy
    access = Access(settings)

    def renew(found: ServerSettings) -> None:
        try:
            access.renew(found)
        except SettingsError:
            if fronts is not None and access.keys.asked_for:
                fronts.renew(replace(found, tls=None))  # the keys hold, whatever is wrong
            raise
        if fronts is not None:
            fronts.renew(found)

    deployment = Deployer(host, settings, reload, loaded, renew)
    reloader = Reloader(deployment, _watched(settings, loaded))
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
        code = await _run(settings, access, host, deployment, watch, sock, stop, fronts)
    finally:
        await host.stop(settings.grace)
        deployment.close()
        sock.close()
        if tracing is not None:
            tracing.close()
    if signals and settings.drum:
        if settings.measured:
            return 130
        sys.stdout.write("Ctrl+C pressed, aborting drum\n")
        return 130
    return code


def _watched(settings: ServerSettings, loaded: Optional[Loaded]) -> List[Path]:
    """Files whose change has the configuration read again."""
    file = None if loaded is None else loaded.path
    files = [] if settings.tls is None else [settings.tls.certificate, settings.tls.key]
    return files if file is None else [file, *files]


async def _run(
    settings: ServerSettings,
    access: Access,
    host: Host,
    deployment: Deployer,
    watch: Instruments,
    sock: socket.socket,
    stop: asyncio.Event,
    fronts: Optional[Fronts],
) -> int:
    failure = settings.failure
    loading: Optional[asyncio.Task[None]] = None
    following = follow_registry(settings, deployment)
    if failure is None:
        loading = asyncio.create_task(_load(settings, host, deployment))
        if settings.drum:
            await _first(loading, stop)
            failure = _failure(host)
        else:
            announce.listening(settings)
            await asyncio.sleep(0)  # every pool exists, loading, before the first request
            if settings.wait:
                if fronts is None:
                    sock.listen(BACKLOG)  # clients that come meanwhile are answered later
                await _first(loading, stop)
                failure = _failure(host)
    if stop.is_set() or (settings.wait and failure is not None):
        if fronts is not None:
            await fronts.stop()
        return 0 if stop.is_set() else 1  # the log has the reason
    app: Any = None
    if failure is None:
        try:
            app = _app(settings, host, deployment, watch, access)
        except PolyhostError as error:
            failure = error
    if failure is not None:
        if not settings.with_error_server:
            _report(failure, settings)
            return 1
        app = build_error(replace(settings, failure=failure))
    code = 0
    if fronts is None:
        await serve_clients(app, settings, access, sock, stop)
    else:
        await _listen_behind(fronts, app, settings, access, sock, stop)
        code = 1 if fronts.failed.is_set() else 0
    for task in (loading, following):
        if task is not None:
            task.cancel()
            await asyncio.wait((task,))
    return code


def _app(
    settings: ServerSettings,
    host: Host,
    deployment: Deployer,
    watch: Instruments,
    access: Access,
) -> Any:
    """The application, behind what the one model of a ``polyhost server`` adds to it."""
    app = build(host, settings, watch, access.keys, deployment)
    add_admin(app, host, deployment, settings)
    if settings.drum and settings.models:
        whole = extended(app, settings.models[0].spec.code_dir, settings.url_prefix)
        return app if whole is app else gated(whole, access.keys, settings.url_prefix)
    return app


async def _listen_behind(
    fronts: Fronts,
    app: Any,
    settings: ServerSettings,
    access: Access,
    sock: socket.socket,
    stop: asyncio.Event,
) -> None:
    """Answer what fronts pass on, until they have answered everything."""
    ended = asyncio.Event()
    sock.listen(BACKLOG)
    listening = asyncio.create_task(listen(app, settings, access, sock, ended))
    fronts.open()
    waits = [asyncio.ensure_future(event.wait()) for event in (stop, fronts.failed)]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    await fronts.stop()
    ended.set()
    await listening


async def _load(settings: ServerSettings, host: Host, deployment: Deployer) -> None:
    await host.start(deployment.first_models())
    await deployment.reconcile()
    if not settings.drum:
        announce.ready(settings, host)


async def _first(loading: asyncio.Task[None], stop: asyncio.Event) -> None:
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait((loading, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if loading.done():
        loading.result()


def _failure(host: Host) -> Optional[PolyhostError]:
    for pool in host.models.values():
        if pool.state is State.FAILED and not isinstance(pool.reason, NotTrained):
            return pool.reason
    return None


def _report(failure: PolyhostError, settings: ServerSettings) -> None:
    sys.stderr.write(f"polyhost: {failure.message}\n")
    trace = failure.facts.get("native_traceback")
    if settings.show_stacktrace and trace:
        sys.stderr.write(f"{trace}\n")

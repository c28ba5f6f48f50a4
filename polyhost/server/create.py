"""A server's application for other programs: its models live as long as its lifespan."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, AsyncIterator, Dict, Optional, Union

from polyhost.config import Loaded, load
from polyhost.deploy.deployer import Deployer
from polyhost.deploy.registry import follow_registry
from polyhost.host.host import Host
from polyhost.host.user import find_user
from polyhost.server.app import add_admin, build
from polyhost.server.credentials import Access
from polyhost.server.watch.guest_output import GuestOutput
from polyhost.server.watch.instrument import Instruments
from polyhost.settings import ServerSettings

if TYPE_CHECKING:
    from fastapi import FastAPI


def create_app(
    *models: Union[str, os.PathLike[str]],
    config: Union[str, os.PathLike[str], None] = None,
    settings: Optional[ServerSettings] = None,
    target_type: Optional[str] = None,
    fastapi: Optional[Dict[str, Any]] = None,
    **named: Union[str, os.PathLike[str]],
) -> FastAPI:
    """A FastAPI application that serves models, with the routes of every protocol.

    ``models``: folders, each called like itself; ``named``: folders by the name to serve them
    under. ``config``: a configuration file of ``polyhost serve``; ``settings``: settings that are
    made already, in place of all of these. ``target_type`` is for one folder that does not say its
    own. ``fastapi``: options of FastAPI, such as ``dependencies`` and ``middleware``.

    The models are loaded and ended by the application's lifespan, which a server runs. Where
    nobody runs it (another application that mounts this one, a test with ``httpx.ASGITransport``),
    use ``async with app.router.lifespan_context(app)``. Address, TLS, fronts and the limits of
    connections are the server's that runs it.
    """
    from polyhost.server.web import web_application

    loaded: Optional[Loaded] = None
    if settings is None:
        places = [(Path(path).resolve().name, str(Path(path).resolve())) for path in models]
        places += [(name, str(Path(path).resolve())) for name, path in named.items()]
        flags = {} if target_type is None else {"models.target.type": target_type}
        loaded = load(None if config is None else Path(config), os.environ, flags, places)
        settings = loaded.settings
    chosen = settings
    access = Access(chosen)
    watch = Instruments(access=chosen.access_log)
    host = Host(
        GuestOutput(named=True, json=chosen.log_format == "json"),
        observe=watch.of,
        limits=chosen.limits,
        worker_user=find_user(chosen),
    )
    deployment = Deployer(host, chosen, None, loaded, access.renew)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        following = None
        try:
            await host.start(deployment.first_models())
            await deployment.reconcile()
            following = follow_registry(chosen, deployment)
            yield
        finally:
            if following is not None:
                following.cancel()
            await host.stop(chosen.grace)
            deployment.close()

    table = build(host, chosen, watch, access.keys, deployment)
    add_admin(table, host, deployment, chosen)
    return web_application(table, lifespan=lifespan, **(fastapi or {}))

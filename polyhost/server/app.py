"""The routes of a server, in one table that follows its models; an ASGI application over it."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Optional

from polyhost.deploy.deployer import Deployer
from polyhost.host.host import Host
from polyhost.server.admin import AdminApi
from polyhost.server.auth import Gate, admin_only, guarded
from polyhost.server.call.keys import Keys
from polyhost.server.call.route import Service
from polyhost.server.dialects import (
    chat_root,
    drum,
    endpoints_of,
    refusals,
    root_endpoints,
    v2_repository,
)
from polyhost.server.dialects.v2_repository import Repository
from polyhost.server.http.asgi import Receive, Scope, Send
from polyhost.server.http.endpoint import Endpoint, Handler, fast_routes
from polyhost.server.http.fast_path import FastRoute
from polyhost.server.misses import Misses
from polyhost.server.probes import probes
from polyhost.server.watch.instrument import Instruments
from polyhost.settings import ServerSettings


class Application:
    """An ASGI application. A route is one look-up; the documents are those of its FastAPI form.

    ``keys``: calls of models check theirs by themselves; for all else a gate stands before it.
    """

    def __init__(self, settings: ServerSettings, keys: Optional[Keys] = None) -> None:
        self.prefix = settings.url_prefix
        self.keys = keys if keys is not None else Keys(settings.keys)
        self.endpoints: List[Endpoint] = []
        self.fast: Dict[bytes, FastRoute] = {}
        """Routes that need no ASGI; always the same dictionary."""
        self._routes: Dict[str, Dict[str, Endpoint]] = {}
        self._below: Dict[str, Handler] = {}
        self._misses = Misses(self._routes_now, settings, refusals(self.prefix))
        self.refusals = refusals(self.prefix)
        gate = Gate(self.answer, self.keys, self.prefix, self.refusals)
        self._gate = gate if self.keys.asked_for else None
        self.models: Mapping[str, Any] = {}
        self.on_use: List[Callable[[], None]] = []
        """Called when the routes are others."""
        self._documents: Any = None
        self._document_paths = {self.prefix + path for path in ("/docs", "/redoc", "/openapi.json")}

    def use(self, endpoints: List[Endpoint], models: Mapping[str, Any]) -> None:
        """Serve these routes from now on; requests that are under way are not touched."""
        routes: Dict[str, Dict[str, Endpoint]] = {}
        for endpoint in endpoints:
            for path in endpoint.paths:
                routes.setdefault(path, {})[endpoint.method] = endpoint
        self.endpoints = endpoints
        self._routes = routes
        self.models = self._misses.models = models
        self.fast.clear()
        self.fast.update(fast_routes(endpoints))
        for refresh in self.on_use:
            refresh()

    def _routes_now(self) -> Mapping[str, Mapping[str, Endpoint]]:
        return self._routes

    def mount(self, path: str, handler: Handler) -> None:
        """Have everything below a path, which ends in a slash, answered by one handler.

        Of two such paths the longer one counts."""
        self._below[path] = handler
        self._below = dict(sorted(self._below.items(), key=lambda item: -len(item[0])))

    def knows(self, path: str) -> bool:
        """Whether a path is one of the table's, with any method, or below a mounted one."""
        return path in self._routes or self._mounted(path) is not None

    def endpoint(self, path: str, method: str) -> Optional[Endpoint]:
        """What answers a path and a method; None where it is not one endpoint of the table."""
        methods = self._routes.get(path)
        return None if methods is None else methods.get(method)

    def _mounted(self, path: str) -> Optional[Handler]:
        for below, handler in self._below.items():
            if path.startswith(below):
                return handler
        return None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1000})
            return
        endpoint = self.endpoint(scope["path"], scope["method"])
        if endpoint is not None and endpoint.route is not None:
            await endpoint.handler(scope, receive, send)
        elif self._gate is not None:
            await self._gate(scope, receive, send)
        else:
            await self.answer(scope, receive, send)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request whose key has been looked at."""
        path = scope["path"]
        endpoint = self.endpoint(path, scope["method"])
        if endpoint is not None:
            await endpoint.handler(scope, receive, send)
            return
        mounted = None if path in self._routes else self._mounted(path)
        if mounted is not None:
            await mounted(scope, receive, send)
        elif self._is_document(path) and scope["method"] in ("GET", "HEAD"):
            await self.documents(scope, receive, send)
        else:
            await self._misses(scope, receive, send)

    async def documents(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a page of the documents, or the OpenAPI document."""
        if self._documents is None:
            from polyhost.server.web import web_application  # FastAPI: most servers never need it

            self._documents = web_application(self)
        await self._documents(scope, receive, send)

    def _is_document(self, path: str) -> bool:
        return path in self._document_paths or path.startswith(f"{self.prefix}/docs/assets/")

    async def missed(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that no route answers."""
        await self._misses(scope, receive, send)


def build(
    host: Host,
    settings: ServerSettings,
    observation: Optional[Instruments] = None,
    keys: Optional[Keys] = None,
    deployer: Any = None,
) -> Application:
    """The application over the host's models, which follows them as they come and go.

    ``deployer``: who trains, loads and unloads models for protocols that can ask for it.
    """
    watch = observation or Instruments()
    app = Application(settings, keys)
    service = Service(settings, host.budget, app.keys, watch, deployer)
    app.mount(f"{settings.url_prefix}{v2_repository.PATH}", v2_repository.switched_off)
    if settings.drum:
        for path in drum.BACKENDS:
            app.mount(f"{settings.url_prefix}{path}", drum.no_backend)

    def refresh() -> None:
        by_id = list(chat_root.by_id(host.models, service))
        app.use([*_endpoints(host, service), *by_id], host.models)
        for endpoint in by_id:
            app.mount(endpoint.path[: -len(chat_root.ID)], endpoint.handler)

    host.on_change.append(refresh)
    refresh()
    return app


def add_admin(app: Application, host: Host, deployment: Deployer, settings: ServerSettings) -> None:
    """Mount what changes a running server, where that is enabled."""
    if not settings.admin.enabled:
        return
    prefix = settings.url_prefix
    admin = AdminApi(host, deployment, prefix)
    app.mount(admin.path, admin_only(admin, settings, admin.path))
    repository = Repository(deployment.reload_model, deployment.park, prefix, host.budget)
    path = f"{prefix}/v2/repository/"
    app.mount(repository.path, admin_only(repository, settings, path))


def _endpoints(host: Host, service: Service) -> List[Endpoint]:
    """Every route: of each model under ``/models/NAME``, and at the root too when there is one."""
    settings = service.settings
    prefix = settings.url_prefix
    endpoints: List[Endpoint] = guarded([service.watch.endpoint(host, prefix)], settings)
    for name, model in host.models.items():
        places = [prefix] if len(host.models) == 1 else []
        if not settings.drum:
            places.append(f"{prefix}/models/{name}")
        endpoints.extend(endpoints_of(model, service, places))
    if len(host.models) != 1:
        endpoints.extend(chat_root.endpoints(dict(host.models), endpoints, settings, host.budget))
    endpoints.extend(root_endpoints(host.models, service))
    endpoints.extend(probes(host.models, settings))
    return endpoints


def build_error(settings: ServerSettings) -> Application:
    """The application of a server whose model could not be prepared."""
    app = Application(settings)
    app.use(drum.error_endpoints(settings.url_prefix, settings.failure), {})
    return app

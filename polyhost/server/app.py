"""The application: every route in one table, over a FastAPI app that has the documents."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Set

from polyhost import __version__
from polyhost.host.host import Host
from polyhost.host.pool import State
from polyhost.server.auth import guarded
from polyhost.server.dialects import answers, chat_root, drum, endpoints_of
from polyhost.server.http.asgi import Receive, Scope, Send, Watcher, respond
from polyhost.server.http.endpoint import Endpoint, Handler, fast_routes
from polyhost.server.http.fast_path import FastRoute
from polyhost.server.watch.instrument import Observation
from polyhost.settings import ServerSettings

HTML = b"text/html; charset=utf-8"


class Front:
    """The ASGI app. A route is one dictionary look-up; all else goes to FastAPI's documents."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._routes: Dict[str, Dict[str, Handler]] = {}
        self._below: Dict[str, Handler] = {}
        self._endpoints: List[Endpoint] = []
        self._made: Optional[Any] = None
        self.fast: Dict[bytes, FastRoute] = {}
        """Routes with a short way; always the same dictionary."""
        self._document_paths = {f"{prefix}{path}" for path in ("/docs", "/redoc", "/openapi.json")}

    def use(self, endpoints: List[Endpoint]) -> None:
        """Serve these routes from now on; requests that are under way are not touched."""
        routes: Dict[str, Dict[str, Handler]] = {}
        for endpoint in endpoints:
            for path in endpoint.paths:
                routes.setdefault(path, {})[endpoint.method] = endpoint.handler
        self._endpoints = endpoints
        self._made = None
        self._routes = routes
        self.fast.clear()
        self.fast.update(fast_routes(endpoints))

    def mount(self, path: str, handler: Handler) -> None:
        """Have everything below a path, which ends in a slash, answered by one handler."""
        self._below[path] = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._documents()(scope, receive, send)
            return
        methods = self._routes.get(scope["path"])
        if methods is not None:
            handler = methods.get(scope["method"])
            if handler is not None:
                await handler(scope, receive, send)
                return
        await self._other(scope, receive, send, methods)

    def _documents(self) -> Any:
        """The documents of the routes as they are now, made when somebody asks."""
        if self._made is None:
            self._made = _documents(self._endpoints, self._prefix)
        return self._made

    async def _other(
        self, scope: Scope, receive: Receive, send: Send, methods: Optional[Dict[str, Handler]]
    ) -> None:
        path, method = scope["path"], scope["method"]
        if methods is not None:
            await self._other_method(scope, receive, send, methods)
        elif not path.endswith("/") and f"{path}/" in self._routes:
            query = scope["query_string"]
            place = scope["raw_path"].split(b"?")[0] + b"/" + (b"?" + query if query else b"")
            headers = [(b"location", place), *answers.common_headers(scope)]
            await respond(send, 308, HTML, b"", headers)
        elif any(path.startswith(below) for below in self._below):
            below = next(below for below in self._below if path.startswith(below))
            await self._below[below](scope, receive, send)
        elif path in self._document_paths and method in ("GET", "HEAD"):
            await self._documents()(scope, receive, send)
        else:
            await respond(send, 404, HTML, _page("404 Not Found"), answers.common_headers(scope))

    async def _other_method(
        self, scope: Scope, receive: Receive, send: Send, methods: Dict[str, Handler]
    ) -> None:
        known: Set[str] = {*methods, "OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
        allow = (b"allow", ", ".join(sorted(known)).encode())
        headers = [allow, *answers.common_headers(scope)]
        if scope["method"] == "HEAD" and "GET" in methods:
            await methods["GET"](scope, receive, send)
        elif scope["method"] == "OPTIONS":
            await respond(send, 200, HTML, b"", headers)
        else:
            await respond(send, 405, HTML, _page("405 Method Not Allowed"), headers)


def _page(title: str) -> bytes:
    return f"<!doctype html><title>{title}</title><h1>{title}</h1>\n".encode()


def build(host: Host, settings: ServerSettings, observation: Optional[Observation] = None) -> Front:
    """The application over the host's models, which follows them as they come and go."""
    watcher = Watcher()
    host.on_sweep.append(watcher.sweep)
    watch = observation or Observation()
    front = Front(settings.url_prefix)
    if settings.drum:
        for path in drum.BACKENDS:
            front.mount(f"{settings.url_prefix}{path}", drum.no_backend)

    def refresh() -> None:
        by_id = list(chat_root.by_id(host.models, settings, host.budget, watcher))
        front.use([*_endpoints(host, settings, watch, watcher), *by_id])
        for endpoint in by_id:
            front.mount(endpoint.path[: -len(chat_root.ID)], endpoint.handler)

    host.on_change.append(refresh)
    refresh()
    return front


def _endpoints(
    host: Host, settings: ServerSettings, watch: Observation, watcher: Watcher
) -> List[Endpoint]:
    """Every route: of each model under ``/models/NAME``, and at the root too when there is one."""
    prefix = settings.url_prefix
    endpoints: List[Endpoint] = guarded([watch.endpoint(host, prefix)], settings)
    for name, pool in host.models.items():
        places = [prefix] if len(host.models) == 1 else []
        if not settings.drum:
            places.append(f"{prefix}/models/{name}")
        own = endpoints_of(pool, settings, host.budget, watcher, places)
        endpoints.extend(watch.watched(own, pool.model))
    if len(host.models) != 1:
        endpoints.extend(_host_probes(host, prefix))
        endpoints.extend(chat_root.endpoints(dict(host.models), endpoints, settings, host.budget))
    return endpoints


def build_error(settings: ServerSettings) -> Front:
    """The application of a server whose model could not be prepared."""
    front = Front(settings.url_prefix)
    front.use(drum.error_endpoints(settings.url_prefix, settings.failure))
    return front


def _host_probes(host: Host, prefix: str) -> List[Endpoint]:
    """Liveness and readiness of a server of many models."""

    async def ping(scope: Scope, receive: Receive, send: Send) -> None:
        body = answers.dump({"message": "OK"})
        await respond(send, 200, answers.JSON, body, answers.common_headers(scope))

    async def health(scope: Scope, receive: Receive, send: Send) -> None:
        states = {name: pool.state.value for name, pool in host.models.items()}
        good = all(
            pool.any_ready and pool.state in (State.READY, State.DEGRADED)
            for pool in host.models.values()
        )
        body = answers.dump(
            {"message": "OK" if good else "not every model is ready", "models": states}
        )
        headers = answers.common_headers(scope)
        if not good:
            headers.append((b"retry-after", b"1"))
        await respond(send, 200 if good else 503, answers.JSON, body, headers)

    return [
        Endpoint(
            "GET", f"{prefix}/", ping, "Liveness", aliases=(f"{prefix}/ping", f"{prefix}/ping/")
        ),
        Endpoint("GET", f"{prefix}/health/", health, "Readiness", aliases=(f"{prefix}/health",)),
    ]


def _documents(endpoints: List[Endpoint], prefix: str) -> Any:
    """A FastAPI app that holds no route of ours, only the OpenAPI document of all of them."""
    from fastapi import FastAPI  # a quarter of the time to start; most servers never need it

    app = FastAPI(
        title="polyhost",
        version=__version__,
        openapi_url=f"{prefix}/openapi.json",
        docs_url=f"{prefix}/docs",
        redoc_url=f"{prefix}/redoc",
    )
    document = _openapi(endpoints)
    app.openapi = lambda: document  # type: ignore[method-assign]
    return app


def _openapi(endpoints: List[Endpoint]) -> Dict[str, Any]:
    paths: Dict[str, Dict[str, Any]] = {}
    for endpoint in endpoints:
        operation = {"summary": endpoint.summary, **endpoint.operation}
        operation.setdefault("responses", {"200": {"description": "OK"}})
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = operation
    info = {"title": "polyhost", "version": __version__}
    return {"openapi": "3.1.0", "info": info, "paths": paths}

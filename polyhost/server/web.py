"""The server as a FastAPI application: mounted, extended and tested as any other one.

Every route of the table is a route of the application, with its dependencies and middleware. One
look-up finds it, however many models there are; what the table has no route for is for routes that
were added, and then answered as our own server does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import fastapi_offline
from fastapi import FastAPI, Request, Response
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import BaseRoute, Match
from starlette.staticfiles import StaticFiles

from polyhost import __version__
from polyhost.server.app import Application
from polyhost.server.auth import KEY, Gate
from polyhost.server.documents import TITLE, openapi, visible
from polyhost.server.http.asgi import Receive, Scope, Send
from polyhost.server.http.endpoint import Endpoint, Handler

ASSETS = Path(fastapi_offline.__file__).parent / "static"
"""Files of the pages below, so that they need no network."""


def web_application(table: Application, **options: Any) -> FastAPI:
    """A FastAPI application over a table of routes, which it follows."""
    web = FastAPI(
        title=options.pop("title", TITLE),
        version=options.pop("version", __version__),
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        **options,
    )
    _add_documents(web, table)
    index = Index(web, table)
    web.router.routes.insert(0, index)
    web.router.default = index.missed
    web.add_middleware(KeyGate, table=table)
    return web


def path_within(scope: Scope) -> str:
    """The path of a request below where the application is mounted."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    if root and path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/"):
        return path[len(root) :]
    return path


class _Answer(Response):
    """A response that a handler of ours sends."""

    def __init__(self, handler: Handler) -> None:
        super().__init__()
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._handler({**scope, "path": path_within(scope)}, receive, send)


class Index(BaseRoute):
    """The routes of the table, found by one look-up."""

    def __init__(self, web: FastAPI, table: Application) -> None:
        self._web = web
        self._table = table
        self._made: Optional[List[Endpoint]] = None
        self._routes: Dict[Tuple[str, str], BaseRoute] = {}
        table.on_use.append(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Make the routes of the application those of the table."""
        router = self._web.router
        old = {id(route) for route in self._routes.values()}
        router.routes[:] = [route for route in router.routes if id(route) not in old]
        self._routes = {}
        for endpoint in self._table.endpoints:
            for path in endpoint.paths:
                self._add(endpoint, path)

    def _add(self, endpoint: Endpoint, path: str) -> None:
        async def call(request: Request) -> Response:
            return _Answer(endpoint.handler)

        self._web.router.add_api_route(
            path,
            call,
            methods=[endpoint.method],
            name=endpoint.summary,
            include_in_schema=False,
            response_class=Response,
            response_model=None,
        )
        self._routes[path, endpoint.method] = self._web.router.routes[-1]

    def matches(self, scope: Scope) -> Tuple[Match, Scope]:
        if scope["type"] != "http":
            return Match.NONE, {}
        path = path_within(scope)
        route = self._routes.get((path, scope["method"]))
        if route is not None:
            found: Any = route
            return Match.FULL, {"route": route, "endpoint": found.endpoint, "path_params": {}}
        if self._table.knows(path) or (path[-1:] != "/" and self._table.knows(f"{path}/")):
            return Match.FULL, {"route": self, "endpoint": self._table, "path_params": {}}
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = scope["route"]
        if route is not self:
            await route.handle(scope, receive, send)
        else:
            own = {**scope, "path": path_within(scope)}
            await self._table.answer(own, receive, send)

    async def missed(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what no route answers, neither of the table nor added."""
        await self._table.missed({**scope, "path": path_within(scope)}, receive, send)


class KeyGate:
    """Serves no request without a key, where one is asked for; calls check theirs themselves."""

    def __init__(self, app: Any, table: Application) -> None:
        self._app = app
        self._table = table
        self._gate = Gate(self._rest, table.keys, table.prefix, table.refusals)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._table.keys.asked_for:
            await self._app(scope, receive, send)
            return
        path = path_within(scope)
        endpoint = self._table.endpoint(path, scope["method"])
        if endpoint is not None and endpoint.route is not None:
            await self._app(scope, receive, send)
        else:
            scope["polyhost.path"] = scope["path"]
            await self._gate({**scope, "path": path}, receive, send)

    async def _rest(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, "path": scope["polyhost.path"]}, receive, send)


def _add_documents(web: FastAPI, table: Application) -> None:
    """The OpenAPI document, and the pages that show it."""
    prefix = table.prefix

    def whole() -> Dict[str, Any]:
        document = get_openapi(title=web.title, version=web.version, routes=web.routes)
        own = openapi(table.endpoints, keys=table.keys.asked_for)
        return {**own, **document, "paths": {**own["paths"], **document["paths"]}}

    def shown(request: Request) -> Response:
        document = web.openapi()
        endpoints = visible(table.endpoints, table.models, request.scope.get(KEY))
        hidden = {e.path for e in table.endpoints} - {e.path for e in endpoints}
        paths = {path: what for path, what in document["paths"].items() if path not in hidden}
        root = request.scope.get("root_path", "")
        servers = {"servers": [{"url": root}]} if root else {}
        return JSONResponse({**document, **servers, "paths": paths})

    def swagger(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "") + prefix
        return get_swagger_ui_html(
            openapi_url=f"{root}/openapi.json",
            title=web.title,
            swagger_js_url=f"{root}/docs/assets/swagger-ui-bundle.js",
            swagger_css_url=f"{root}/docs/assets/swagger-ui.css",
            swagger_favicon_url=f"{root}/docs/assets/favicon.png",
            swagger_ui_parameters={"tryItOutEnabled": True},
        )

    def redoc(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "") + prefix
        return get_redoc_html(
            openapi_url=f"{root}/openapi.json",
            title=web.title,
            redoc_js_url=f"{root}/docs/assets/redoc.standalone.js",
            redoc_favicon_url=f"{root}/docs/assets/favicon.png",
            with_google_fonts=False,
        )

    web.openapi = whole  # type: ignore[method-assign]
    web.add_route(f"{prefix}/openapi.json", shown, include_in_schema=False)
    web.add_route(f"{prefix}/docs", swagger, include_in_schema=False)
    web.add_route(f"{prefix}/redoc", redoc, include_in_schema=False)
    web.mount(f"{prefix}/docs/assets", StaticFiles(directory=ASSETS), name="assets")

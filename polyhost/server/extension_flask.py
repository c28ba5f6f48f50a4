"""A Flask app before ours: it sees every request first, and may answer it."""

from __future__ import annotations

import asyncio
import io
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Dict, List, Optional, Tuple

from flask import Blueprint, Flask, Response

from polyhost.server.http.asgi import Header, Message, Receive, Scope, Send

THREADS = 8
ROUTES = {
    "ping": ("/", "/ping", "/ping/"),
    "health": ("/health/",),
    "capabilities": ("/capabilities/",),
    "info": ("/info/",),
    "stats": ("/stats/",),
    "predict": ("/predictions/", "/predict/", "/invocations"),
    "transform": ("/transform/",),
    "predict_unstructured": ("/predictionsUnstructured/", "/predictUnstructured/"),
    "chat": ("/chat/completions", "/v1/chat/completions"),
    "models": ("/models", "/v1/models"),
}
"""Our routes by the names that extensions look for: ``model_api.ping`` and so on."""
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class _GoOn(Response):
    """What a view of ours answers: the request is for the app behind."""


class FlaskFirst:
    """An ASGI app: a Flask app, and behind it the one that has our routes."""

    def __init__(self, app: Any, prefix: str) -> None:
        self._app = app
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="polyhost-flask")
        self.flask = Flask("polyhost.extension", static_folder=None)
        self.flask.url_map.strict_slashes = False
        self.flask.url_map.merge_slashes = False
        self._add_routes(prefix)

    def _add_routes(self, prefix: str) -> None:
        """Our routes under DRUM's names, and one that takes all that nobody else knows."""
        api = Blueprint("model_api", "polyhost.extension")
        for name, paths in ROUTES.items():
            for path in paths:
                api.add_url_rule(
                    path, name, _go_on, methods=METHODS, provide_automatic_options=False
                )
        self.flask.register_blueprint(api, url_prefix=prefix or None)
        options: Dict[str, Any] = {"methods": METHODS, "provide_automatic_options": False}
        self.flask.add_url_rule("/", "polyhost_root", _go_on, **options)
        self.flask.add_url_rule("/<path:path>", "polyhost_other", _go_on, **options)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        loop = asyncio.get_running_loop()
        body = _Body(receive, loop)
        answer, headers = await loop.run_in_executor(self._threads, self._ask, scope, body)
        if answer is None:
            await self._app(scope, body.again, _with(send, headers))
            return
        status, content = answer
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def _ask(self, scope: Scope, body: _Body) -> Tuple[Optional[Tuple[int, bytes]], List[Header]]:
        """Flask's answer with its headers; without one, the headers it has for ours."""
        environ = _environ(scope, body)
        with self.flask.request_context(environ):
            try:
                response = self.flask.full_dispatch_request()
            except Exception as error:
                response = self.flask.handle_exception(error)
            if isinstance(response, _GoOn):
                added = response.headers
                for name in ("Content-Type", "Content-Length"):
                    added.remove(name)
                return None, _pairs(added.to_wsgi_list())
            chunks, status, headers = response.get_wsgi_response(environ)
            try:
                content = b"".join(chunks)
            finally:
                response.close()
            return (int(status.split(" ", 1)[0]), content), _pairs(headers)


def _go_on(**_: Any) -> Response:
    return _GoOn()


def _pairs(headers: Any) -> List[Header]:
    return [(name.lower().encode("latin-1"), text.encode("latin-1")) for name, text in headers]


def _with(send: Send, extra: List[Header]) -> Send:
    if not extra:
        return send

    async def adding(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *extra]}
        await send(message)

    return adding


def _environ(scope: Scope, body: _Body) -> Dict[str, Any]:
    server = scope.get("server") or ("localhost", 80)
    client = scope.get("client") or ("", 0)
    environ: Dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode("utf-8").decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": str(server[0]),
        "SERVER_PORT": str(server[1] or 80),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": str(client[0]),
        "REMOTE_PORT": str(client[1]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": io.BufferedReader(body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for raw, value in scope["headers"]:
        name = raw.decode("latin-1").upper().replace("-", "_")
        key = name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"
        text = value.decode("latin-1")
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    return environ


class _Body(io.RawIOBase):
    """A request's body for a thread that may want it; what it took is there for us again."""

    def __init__(self, receive: Receive, loop: asyncio.AbstractEventLoop) -> None:
        self._receive = receive
        self._loop = loop
        self._taken: List[Message] = []
        self._rest = b""
        self._ended = False
        self._next = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Bytes as they come from the client; 0 at the body's end."""
        while not self._rest and not self._ended:
            message = asyncio.run_coroutine_threadsafe(self._take(), self._loop).result()
            self._taken.append(message)
            self._rest = message.get("body", b"")
            self._ended = not message.get("more_body", False)
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size

    async def _take(self) -> Message:
        return await self._receive()

    async def again(self) -> Message:
        """What was taken, and then what still comes."""
        if self._next < len(self._taken):
            self._next += 1
            return self._taken[self._next - 1]
        return await self._receive()

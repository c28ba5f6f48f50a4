"""OpenAI's routes at the root of a server of many models: a body's ``model`` says whose it is.

The host reads that one field, and hands the body on to the routes of the model as it came.
"""

from __future__ import annotations

import asyncio
import os
from functools import partial
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional

from polyhost.codecs.chat import unknown_model
from polyhost.errors import InvalidInput, PolyhostError
from polyhost.formats import json
from polyhost.host.spool import Budget, Spool
from polyhost.server.auth import guarded
from polyhost.server.call.body_reader import Body, discard
from polyhost.server.call.outcome import FILE_CHUNK
from polyhost.server.call.route import Service
from polyhost.server.call.served_model import Served
from polyhost.server.dialects.answers import common_headers, text_error
from polyhost.server.dialects.chat import (
    ASKED,
    PLACES,
    ChatRoutes,
    error_reply,
    model_lists,
    opened,
    refuse,
    tell_of,
)
from polyhost.server.http.asgi import (
    ClientGone,
    Message,
    Receive,
    Scope,
    Send,
    read_body,
)
from polyhost.server.http.asgi import refuse as asgi_refuse
from polyhost.server.http.endpoint import Endpoint, Handler
from polyhost.server.http.status_lines import message
from polyhost.settings import ServerSettings

ONE = "/v1/models/"
"""Below it a model is asked for by its id, which may hold slashes."""
ONE_OF_KSERVE = "/openai/v1/models/"
ID = "{id}"


def endpoints(
    models: Mapping[str, Served], own: Iterable[Endpoint], settings: ServerSettings, budget: Budget
) -> List[Endpoint]:
    """The routes at the root; ``own`` are those of the models, where conversations are handed on."""
    prefix = settings.url_prefix
    by_path = {endpoint.path: endpoint.handler for endpoint in own}
    found = []
    for asked in ASKED:
        path = f"/v1{asked.path}"
        handlers = {name: by_path[f"{prefix}/models/{name}{path}"] for name in models}
        router = Router(models, handlers, settings, budget)
        summary = f"{asked.summary}: by the model that the body names"
        others = tuple(prefix + place + asked.path for place in PLACES)
        found.append(Endpoint("POST", prefix + path, router, summary, asked.operation, others))
    return [*found, *model_lists(list(models.values()), settings)]


def by_id(models: Mapping[str, Served], service: Service) -> Iterator[Endpoint]:
    """What answers for models by id, wherever there is a list; each path ends in ``ID``, in whose
    place anything may stand. ``models`` may change."""
    settings = service.settings
    prefix = settings.url_prefix
    for name, model in models.items():
        routes = ChatRoutes(model, service)
        places = [prefix] if len(models) == 1 else []
        if not settings.drum:
            places.append(f"{prefix}/models/{name}")
        for place in places:
            answer = partial(_of_one, models, routes, name, settings)
            yield _endpoint(place + ONE, answer, name)
            if not settings.drum:
                yield _endpoint(place + ONE_OF_KSERVE, answer, name)
    if len(models) != 1:
        of_many = partial(_of_many, models, settings)
        yield _endpoint(prefix + ONE, of_many)
        yield _endpoint(prefix + ONE_OF_KSERVE, of_many)


def _endpoint(path: str, answer: Any, model: str = "") -> Endpoint:
    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] in ("GET", "HEAD"):
            await answer(scope["path"][len(path) :], scope, receive, send)
        elif ":" in scope["path"][len(path) :]:  # an operation of KServe's V1 on no model of ours
            name, _, operation = scope["path"][len(path) :].rpartition(":")
            text = f"no model {name!r} with the operation {operation!r} here"
            await asgi_refuse(receive, send, 404, text_error(text), common_headers(scope))
        else:
            headers = [(b"allow", b"GET, HEAD"), *common_headers(scope)]
            await asgi_refuse(receive, send, 405, message("only GET is answered"), headers)

    summary = "One of the models there are"
    return Endpoint("GET", path + ID, handle, summary, _ONE_OPERATION, model=model)


async def _of_one(
    models: Mapping[str, Served],
    model: ChatRoutes,
    name: str,
    settings: ServerSettings,
    id: str,
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    if name not in models:  # it was unloaded
        await refuse(scope, send, unknown_model(name, _open(models, scope)), settings)
        return
    own = Endpoint("GET", "", partial(model.one, id), "")
    await guarded([own], settings, name)[0].handler(scope, receive, send)


async def _of_many(
    models: Mapping[str, Served],
    settings: ServerSettings,
    id: str,
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    model = models.get(id)
    if model is None or id not in _open(models, scope):
        await refuse(scope, send, unknown_model(id, _open(models, scope)), settings)
    else:
        await tell_of(model, scope, send)


def _open(models: Mapping[str, Served], scope: Scope) -> List[str]:
    return [model.name for model in opened(models.values(), scope)]


_ONE_OPERATION: Dict[str, Any] = {
    "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
    "responses": {
        "200": {
            "description": "the model",
            "content": {"application/json": {"schema": {"type": "object"}}},
        },
        "404": {"description": "there is no such model"},
        "503": {"description": "the model is not ready"},
    },
}


class Router:
    """Takes conversations to the model that they name."""

    def __init__(
        self,
        models: Mapping[str, Served],
        handlers: Mapping[str, Handler],
        settings: ServerSettings,
        budget: Budget,
    ) -> None:
        self._models = models
        self._handlers = handlers
        self._settings = settings
        self._budget = budget
        most = [model.config.limits.max_body for model in models.values()]
        self._max_body = None if None in most else max(filter(None, most), default=None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await read_body(receive, self._budget, self._max_body)
        except ClientGone:
            return
        except PolyhostError as error:
            status, data, headers = error_reply(error, self._settings.drum)
            common = common_headers(scope)
            await asgi_refuse(receive, send, status, data, [*common, *headers])
            return
        again = Again(body, receive, self._budget)
        try:
            name = await _model_in(body)
            if name not in self._handlers:
                raise unknown_model(name, _open(self._models, scope))
        except PolyhostError as error:
            await refuse(scope, send, error, self._settings)
        else:
            await self._handlers[name](scope, again, send)
        finally:
            again.close()


async def _model_in(body: Body) -> str:
    """The ``model`` of a conversation; a large body is read aside."""
    if isinstance(body, Spool):
        return await asyncio.to_thread(lambda: _name_in(body.read()))
    return _name_in(body)


def _name_in(body: bytes) -> str:
    found = json.loads(body)
    name = found.get("model") if isinstance(found, dict) else None
    if not isinstance(name, str) or not name:
        raise InvalidInput(
            "the body names no model: expected a JSON object whose 'model' is the name of one that "
            "is served here. GET /v1/models lists them."
        )
    return name


class Again:
    """A body that was read, to be received once more; then what its connection says next."""

    def __init__(self, body: Body, receive: Receive, budget: Budget) -> None:
        self._body: Optional[Body] = body
        self._receive = receive
        self._budget = budget
        self._pieces = _pieces(body)

    async def __call__(self) -> Message:
        for piece in self._pieces:
            if not piece["more_body"]:
                self.close()
            return piece
        return await self._receive()

    def close(self) -> None:
        """Let go of the body; again does nothing."""
        if self._body is not None:
            discard(self._body, self._budget)
            self._body = None


def _pieces(body: Body) -> Iterator[Dict[str, Any]]:
    if not isinstance(body, Spool):
        yield {"type": "http.request", "body": body, "more_body": False}
        return
    for offset in range(0, body.size, FILE_CHUNK):
        piece = os.pread(body.fd, FILE_CHUNK, offset)
        more = offset + FILE_CHUNK < body.size
        yield {"type": "http.request", "body": piece, "more_body": more}

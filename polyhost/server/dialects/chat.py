"""Chat completions and model lists: the host half, one set of routes for each model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from polyhost.codecs import Request
from polyhost.codecs.chat import TALKS, error_event, error_object, unknown_model
from polyhost.data.target import TargetType
from polyhost.errors import (
    GuestStatus,
    InvalidInput,
    PolyhostError,
    UnsupportedContentType,
    WrongEndpoint,
)
from polyhost.server.auth import KEY, guarded
from polyhost.server.call.head import RequestHead
from polyhost.server.call.keys import opens
from polyhost.server.call.route import Route, Service, Tail
from polyhost.server.call.served_model import Served, can_answer
from polyhost.server.call.status import status_of
from polyhost.server.dialects.answers import (
    JSON,
    common_headers,
    dump,
    error_body,
    headers_of_id,
)
from polyhost.server.http.asgi import Header, Receive, Scope, Send, respond
from polyhost.server.http.asgi_call import answer
from polyhost.server.http.endpoint import Endpoint, calling
from polyhost.settings import ApiKey, ServerSettings
from polyhost.wire.frames import dumps

NO_RETRY = (b"x-should-retry", b"false")
"""Keeps OpenAI's clients from running a model that failed two more times."""
_KINDS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class ChatRoutes:
    """The routes of OpenAI's protocol over one model."""

    def __init__(self, model: Served, service: Service) -> None:
        self._model = model
        self._service = service
        self._settings = service.settings
        self._options = {} if self._settings.drum else {"messages_required": True}

    def endpoints(self, prefix: str) -> List[Endpoint]:
        """Every route of this model, under a prefix without a slash at its end."""
        asked = [self._asking(prefix, asked) for asked in ASKED]
        lists = [
            Endpoint(
                *("GET", f"{prefix}/v1/models", self._list_v1, "The models there are"),
                aliases=(f"{prefix}/openai/v1/models",),
            ),
            Endpoint("GET", f"{prefix}/models", self._list, "The models there are"),
        ]
        return [*asked, *guarded(lists, self._settings, self._model.name)]

    def _asking(self, prefix: str, asked: Asked) -> Endpoint:
        path = f"{prefix}/v1{asked.path}"
        meta = partial(self._meta, asked)
        route = self._route(path, meta, protocol="openai", tail=_tail, span=asked.span)
        others = tuple(prefix + place + asked.path for place in PLACES)
        return calling("POST", path, route, asked.summary, asked.operation, others)

    def _route(
        self,
        path: str,
        meta: Callable[[RequestHead], bytes],
        *,
        protocol: str = "",
        tail: Optional[Tail] = None,
        retry: bool = False,
        span: str = "drum.chat.completions",
    ) -> Route:
        return Route(
            self._service,
            self._model,
            path,
            protocol=protocol,
            span=span,
            meta=meta,
            shape=partial(_shape, drum=self._settings.drum),
            common=headers_of_id,
            tail=tail,
            retry=retry,
        )

    def _meta(self, asked: Asked, head: RequestHead) -> bytes:
        headers = head.for_model(keys=self._service.keys.asked_for)
        kind = head.content_type
        request = Request(asked.op, asked.codec, kind, headers=headers, options=self._options)
        return dumps(request.to_wire())

    # Lists

    async def _list_v1(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._tell(scope, receive, send, [self._model.name])

    async def _list(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._tell(scope, receive, send, [_entry(self._model, self._settings)])

    async def _tell(
        self, scope: Scope, receive: Receive, send: Send, models: Sequence[object]
    ) -> None:
        """OpenAI's list beside another protocol's ``models``; clients ignore what they don't know."""
        if not has_chat(self._model):
            await _respond_list(scope, send, [], models)
            return
        await self._ask(scope, receive, send, {"models": list(models)})

    async def one(self, id: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Describe one model: of the list, or by the name under which it is served."""
        if id == self._model.name and not self._settings.drum:
            await tell_of(self._model, scope, send)
        elif not has_chat(self._model):
            known = [] if self._settings.drum else [self._model.name]
            await refuse(scope, send, unknown_model(id, known), self._settings)
        else:
            await self._ask(scope, receive, send, {"id": id})

    async def _ask(
        self, scope: Scope, receive: Receive, send: Send, options: Mapping[str, Any]
    ) -> None:
        """Have the worker list its models, or describe one."""
        names = [] if self._settings.drum else [self._model.name]
        request = Request("models", "chat", options={"names": names, **options})
        meta = dumps(request.to_wire())
        await answer(self._route("", lambda head: meta, retry=True), scope, receive, send)


def _shape(
    error: PolyhostError, content_type: str, *, drum: bool
) -> Tuple[int, bytes, List[Header]]:
    return error_reply(error, drum)


def error_reply(error: PolyhostError, drum: bool) -> Tuple[int, bytes, List[Header]]:
    """An error for DRUM's clients and for OpenAI's: each reads a key of its own."""
    _, _, headers = error_body(error, "")
    status = _status(error, drum)
    text = error.message if isinstance(error, GuestStatus) else f"ERROR: {error.message}"
    fallback = "invalid_request_error" if status < 500 else "server_error"
    reported = error_object(error.message, _KINDS.get(status, fallback), error.facts.get("code"))
    if status == 500 or isinstance(error, GuestStatus):
        headers.append(NO_RETRY)
    return status, dump({"message": text, "error": reported}), headers


def _status(error: PolyhostError, drum: bool) -> int:
    if isinstance(error, WrongEndpoint):
        return 404
    if isinstance(error, UnsupportedContentType):
        return 500 if drum else 415
    status = status_of(error)
    return 400 if isinstance(error, InvalidInput) and status == 422 else status


def has_chat(model: Served) -> bool:
    """Whether a model is listed as one that can be talked to."""
    info = model.info
    chats = info is not None and not TALKS.isdisjoint(info.hooks)
    return chats or model.config.spec.target.type is TargetType.TEXT_GENERATION


async def tell_of(model: Served, scope: Scope, send: Send) -> None:
    """A model by the name under which it is served, for OpenAI's clients and for KServe's."""
    ready = can_answer(model)
    body: Dict[str, Any] = {**_own(model), "name": model.name, "ready": ready}
    headers = common_headers(scope)
    if not ready:
        reason = model.reason
        text = f"model is {model.state.value}" if reason is None else reason.message
        body["error"] = error_object(text)
        headers.append((b"retry-after", b"1"))
    await respond(send, 200 if ready else 503, JSON, dump(body), headers)


async def refuse(scope: Scope, send: Send, error: PolyhostError, settings: ServerSettings) -> None:
    """Send an error in place of an answer."""
    status, body, headers = error_reply(error, settings.drum)
    await respond(send, status, JSON, body, [*common_headers(scope), *headers])


def _own(model: Served) -> Dict[str, Any]:
    return {"id": model.name, "object": "model", "created": 0, "owned_by": "polyhost"}


def opened(models: Iterable[Served], scope: Scope) -> List[Served]:
    """The models that a request's key opens."""
    key: Optional[ApiKey] = scope.get(KEY)
    return [each for each in models if opens(key, each.name)]


def model_lists(models: Sequence[Served], settings: ServerSettings) -> List[Endpoint]:
    """The lists at the root of a server of many models: its own names, those that a key opens."""

    prefix = settings.url_prefix

    async def send_list(scope: Scope, send: Send, entry: Callable[[Served], object]) -> None:
        known = opened(models, scope)
        data = [_own(model) for model in known if has_chat(model)]
        await _respond_list(scope, send, data, [entry(model) for model in known])

    async def list_v1(scope: Scope, receive: Receive, send: Send) -> None:
        await send_list(scope, send, lambda model: model.name)

    async def list_all(scope: Scope, receive: Receive, send: Send) -> None:
        await send_list(scope, send, lambda model: _entry(model, settings))

    return [
        Endpoint(
            *("GET", f"{prefix}/v1/models", list_v1, "The models there are"),
            aliases=(f"{prefix}/openai/v1/models",),
        ),
        Endpoint("GET", f"{prefix}/models", list_all, "The models there are"),
    ]


def _entry(model: Served, settings: ServerSettings) -> Dict[str, str]:
    """A model as MLServer's clients list it; where it lies is shown by DRUM's server only."""
    place = f"{settings.url_prefix}/models/{model.name}"
    return {
        "modelName": model.name,
        "modelUrl": str(model.config.spec.code_dir) if settings.drum else place,
    }


async def _respond_list(
    scope: Scope, send: Send, data: Sequence[object], models: Sequence[object]
) -> None:
    body = dump({"object": "list", "data": list(data), "models": list(models)})
    await respond(send, 200, JSON, body, common_headers(scope))


def _tail(error: PolyhostError) -> bytes:
    return error_event(error.message)


def _operation(properties: Mapping[str, Any], streams: bool = True) -> Dict[str, Any]:
    body = {"type": "object", "properties": {"model": {"type": "string"}, **properties}}
    content: Dict[str, Any] = {"application/json": {"schema": {"type": "object"}}}
    if streams:
        content["text/event-stream"] = {"schema": {"type": "string"}}
    return {
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            "200": {"description": "the answer, or its pieces as events", "content": content},
            "400": {"description": "the body is no JSON object, or lacks what it is about"},
            "404": {"description": "the model has no such hook"},
            "500": {"description": "the model's own code failed: `error` says where"},
            "503": {"description": "the model is not ready"},
        },
    }


@dataclass(frozen=True)
class Asked:
    """A route of OpenAI's that asks a model: below ``/v1`` and the other places."""

    path: str
    op: str
    codec: str
    span: str
    summary: str
    operation: Mapping[str, Any]


PLACES = ("", "/openai/v1")
"""Where the routes are beside ``/v1``: without it as in DRUM, and as in KServe."""
_TEXTS = {"oneOf": [{"type": "string"}, {"type": "array", "items": {}}]}
_MESSAGES = {"messages": {"type": "array", "items": {"type": "object"}}}
ASKED = (
    Asked(
        *("/chat/completions", "chat", "chat", "drum.chat.completions", "Answer a conversation"),
        _operation(_MESSAGES),
    ),
    Asked(
        *("/completions", "completions", "openai", "openai.completions", "Go on with a text"),
        _operation({"prompt": _TEXTS}),
    ),
    Asked(
        *("/embeddings", "embeddings", "openai", "openai.embeddings", "Make vectors of texts"),
        _operation({"input": _TEXTS}, streams=False),
    ),
    Asked(
        *("/responses", "responses", "openai", "openai.responses", "Answer with a response"),
        _operation({"input": _TEXTS}),
    ),
)

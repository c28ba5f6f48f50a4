"""The host half of the Open Inference Protocol V2 over HTTP (KServe, Triton, MLServer)."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence
from urllib.parse import parse_qsl

from polyhost import __version__
from polyhost.codecs import Request
from polyhost.codecs.v2.rest import HEADER, metadata_of
from polyhost.data.target import TargetType
from polyhost.errors import PolyhostError
from polyhost.server.auth import KEY, guarded
from polyhost.server.call.head import RequestHead
from polyhost.server.call.keys import opens
from polyhost.server.call.route import Route, Service
from polyhost.server.call.served_model import Served, can_answer
from polyhost.server.dialects.answers import JSON, id_header, plain_error
from polyhost.server.dialects.samples import with_tensors
from polyhost.server.dialects.v2_documents import (
    INDEX,
    INFER,
    LIVE,
    MESSAGE,
    METADATA,
    NAMES,
    READY,
    SERVER,
)
from polyhost.server.dialects.v2_repository import list_repository
from polyhost.server.http.asgi import Header, Receive, Scope, Send, respond
from polyhost.server.http.asgi_call import answer
from polyhost.server.http.endpoint import Endpoint, calling
from polyhost.server.http.request_id import request_id
from polyhost.settings import ServerSettings
from polyhost.wire.frames import dumps

NAME = "polyhost"
EXTENSIONS = ("binary_tensor_data", "model_repository", "model_repository(unload_dependents)")
_HEADER = HEADER.lower().encode()
MOST_METAS = 256


class V2Routes:
    """The routes of one model, whose paths hold its name."""

    def __init__(self, model: Served, service: Service) -> None:
        self._model = model
        self._service = service
        self._metas: Dict[bytes, bytes] = {}
        target = model.config.spec.target.type
        self._any_body = target is TargetType.UNSTRUCTURED
        self._message = dumps(Request("predict", "v2-grpc", options=self._options).to_wire())

    def endpoints(self, prefix: str) -> List[Endpoint]:
        """None: they stand at the root."""
        return []

    def named_endpoints(self, prefix: str) -> List[Endpoint]:
        """Every route of this model, under a prefix without a slash at its end."""
        model = self._model
        base = f"{prefix}/v2/models/{model.name}"
        version = f"{base}/versions/{model.config.version}"
        facts = [
            Endpoint("GET", base, self._metadata, "Its tensors", METADATA, (version,)),
            Endpoint(
                "GET",
                f"{base}/ready",
                self._ready,
                "Whether it can answer",
                READY,
                (f"{version}/ready",),
            ),
        ]
        path = f"{base}/infer"
        route = self._route(path, self._meta, protocol="v2", retry=not self._any_body)
        infer = calling(
            "POST", path, route, "Infer", with_tensors(INFER, model), (f"{version}/infer",)
        )
        path += "/message"
        route = self._route(path, self._message_meta, protocol="grpc", retry=not self._any_body)
        summary, alias = "Infer, by the message of gRPC", f"{version}/infer/message"
        message = calling("POST", path, route, summary, MESSAGE, (alias,))
        return [infer, message, *guarded(facts, self._service.settings, model.name)]

    def _route(self, path: str, meta: Any, *, protocol: str, retry: bool) -> Route:
        return Route(
            self._service,
            self._model,
            path,
            protocol=protocol,
            span="v2.infer",
            meta=meta,
            shape=plain_error,
            common=id_header,
            retry=retry,
        )

    @property
    def _options(self) -> Dict[str, Any]:
        model = self._model
        return {"model": model.name, "version": model.config.version, "strict_rows": True}

    @property
    def _described(self) -> Dict[str, Any]:
        """The same, and what a registry says of the model."""
        said = self._model.config.annotations
        return {**self._options, "annotations": dict(said)} if said else self._options

    def _meta(self, head: RequestHead) -> bytes:
        """The request's meta; equal ones may share a call, so nothing else of its head is in it."""
        size = head.get(_HEADER)
        if self._any_body:
            return self._full_meta(head, size)
        meta = self._metas.get(size)
        if meta is None:
            meta = dumps(Request("predict", "v2", options=self._with_size(size)).to_wire())
            if len(self._metas) >= MOST_METAS:
                self._metas.clear()
            self._metas[size] = meta
        return meta

    def _message_meta(self, head: RequestHead) -> bytes:
        if self._any_body:
            return self._full_meta(head, b"", "v2-grpc")
        return self._message

    def _full_meta(self, head: RequestHead, size: bytes, codec: str = "v2") -> bytes:
        query = tuple(parse_qsl(head.query.decode("latin-1"), keep_blank_values=True))
        headers = head.for_model(keys=self._service.keys.asked_for)
        options = self._with_size(size)
        request = Request("unstructured", codec, query=query, headers=headers, options=options)
        return dumps(request.to_wire())

    def _with_size(self, size: bytes) -> Dict[str, Any]:
        return {**self._options, "header": size.decode("latin-1")} if size else self._options

    async def _metadata(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What is known here; a model that is not loaded yet is asked, which loads a lazy one."""
        info = self._model.info
        if info is not None:
            await _respond(scope, send, 200, metadata_of(info, self._described))
            return
        meta = dumps(Request("metadata", "v2", options=self._described).to_wire())
        route = self._route("", lambda head: meta, protocol="", retry=True)
        await answer(route, scope, receive, send)

    async def _ready(self, scope: Scope, receive: Receive, send: Send) -> None:
        model = self._model
        if can_answer(model):
            await _respond(scope, send, 200, {"name": model.name, "ready": True})
            return
        body = {"name": model.name, "ready": False, "error": why_not_ready(model)}
        await _respond(scope, send, 503, body, [(b"retry-after", b"1")])


def why_not_ready(model: Served) -> str:
    """What keeps a model from answering."""
    reason: Optional[PolyhostError] = model.reason
    if reason is not None:
        return reason.message
    return f"model {model.name!r} is {model.state.value}"


async def _respond(
    scope: Scope, send: Send, status: int, body: Any, headers: Sequence[Header] = ()
) -> None:
    common = id_header(request_id(scope))
    await respond(send, status, JSON, dumps(body), [*headers, *common])


# The server


def root_endpoints(models: Mapping[str, Served], service: Service) -> List[Endpoint]:
    """The routes about the server and all its models."""
    settings = service.settings
    base = f"{settings.url_prefix}/v2"

    async def live(scope: Scope, receive: Receive, send: Send) -> None:
        await _respond(scope, send, 200, {"live": True})

    async def ready(scope: Scope, receive: Receive, send: Send) -> None:
        all_ready = all(model.parked or can_answer(model) for model in models.values())
        headers = [] if all_ready else [(b"retry-after", b"1")]
        await _respond(scope, send, 200 if all_ready else 503, {"ready": all_ready}, headers)

    async def server(scope: Scope, receive: Receive, send: Send) -> None:
        await _respond(scope, send, 200, server_metadata(settings))

    async def names(scope: Scope, receive: Receive, send: Send) -> None:
        known = [name for name in models if opens(scope.get(KEY), name)]
        await _respond(scope, send, 200, {"models": known})

    async def index(scope: Scope, receive: Receive, send: Send) -> None:
        await list_repository(models, service, scope, receive, send)

    return [
        Endpoint("GET", base, server, "What the server is", SERVER, (f"{base}/",)),
        Endpoint("GET", f"{base}/health/live", live, "Whether the server answers", LIVE),
        Endpoint("GET", f"{base}/health/ready", ready, "Whether every model can answer", READY),
        Endpoint("GET", f"{base}/models", names, "The models there are", NAMES),
        Endpoint("POST", f"{base}/repository/index", index, "Models and their states", INDEX),
    ]


def server_metadata(settings: ServerSettings) -> Dict[str, Any]:
    """Name, version and extensions of the server."""
    extensions = [each for each in EXTENSIONS if settings.admin.enabled or each == EXTENSIONS[0]]
    return {"name": NAME, "version": __version__, "extensions": extensions}

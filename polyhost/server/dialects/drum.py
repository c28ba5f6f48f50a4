"""DRUM's routes: the host half of its protocol, one set for each model."""

from __future__ import annotations

import json
from functools import partial
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple
from urllib.parse import parse_qsl

from polyhost import __version__
from polyhost.codecs import Request
from polyhost.drum_compat import DRUM_VERSION
from polyhost.errors import (
    GuestStatus,
    InvalidInput,
    PolyhostError,
    WrongEndpoint,
)
from polyhost.server.auth import guarded
from polyhost.server.endpoint import Endpoint, Handler
from polyhost.server.errors import status_of
from polyhost.server.exchange import (
    ClientGone,
    Header,
    Receive,
    Scope,
    Send,
    Watcher,
    header,
    respond,
)
from polyhost.server.fast import FastRoute
from polyhost.server.forward import Forward
from polyhost.server.limits import refuse
from polyhost.server.request_id import request_id
from polyhost.server.served import Served
from polyhost.server.stats import Timings, report
from polyhost.settings import ServerSettings
from polyhost.target import TargetType
from polyhost.worker.frames import dumps
from polyhost.worker.pool import State
from polyhost.worker.spool import Budget

JSON = b"application/json"
NO_SAMPLES = (
    "ERROR: Samples should be provided as:   - a csv or mtx under `X` form-data param key."
    "  - binary data"
)
FORM = "application/x-www-form-urlencoded"
ROUTES_OF = {
    "predict": ("/predict/", "/predictions/", "/invocations"),
    "transform": ("/transform/",),
    "unstructured": ("/predictUnstructured/", "/predictionsUnstructured/"),
}
RETRY_AFTER = {429: 1, 503: 5}
"""Seconds that a client is asked to wait where the error itself says nothing."""
_VERSION_HEADER = (b"x-drum-version", DRUM_VERSION.encode())


def dump(value: Mapping[str, Any]) -> bytes:
    """A dictionary as DRUM writes it: keys sorted, compact, a newline at the end."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n"


_NO_SAMPLES_BODY = dump({"message": NO_SAMPLES})


def common_headers(scope: Scope) -> List[Header]:
    """The headers of every response: the request's id, and the version."""
    id = request_id(scope)
    return _headers_of_id(id)


def _headers_of_id(id: bytes) -> List[Header]:
    return [(b"x-request-id", id), (b"x_request_id", id), _VERSION_HEADER]


def error_body(error: PolyhostError, content_type: str) -> Tuple[int, bytes, List[Header]]:
    """Status, body and extra headers of an error, in MLflow's words where the body is JSON."""
    status = status_of(error)
    headers: List[Header] = []
    if isinstance(error, GuestStatus):
        return status, dump({"message": error.message}), [(b"x-drum-user-http-error", b"true")]
    if status in RETRY_AFTER:
        seconds = error.facts.get("retry_after", RETRY_AFTER[status])
        headers.append((b"retry-after", str(seconds).encode()))
    body: Dict[str, Any] = {"message": f"ERROR: {error.message}"}
    if isinstance(error, InvalidInput) and content_type.startswith("application/json"):
        # An MLflow body: its clients read error_code and message, and expect a 400.
        status = 400 if status == 422 else status
        return status, dump({"error_code": "BAD_REQUEST", "message": error.message}), headers
    if error.facts.get("is_schema_validation_error"):
        body["is_schema_validation_error"] = True
    return status, dump(body), headers


def drum_error(error: PolyhostError, content_type: str) -> Tuple[int, bytes, List[Header]]:
    """The same on a route that no client of MLflow asks, whatever the type of the body."""
    return error_body(error, "")


ErrorShape = Callable[[PolyhostError, str], Tuple[int, bytes, List[Header]]]
"""Status, body and extra headers of an error, for the content type of its request."""


class DrumModel:
    """DRUM's routes over one model's pool."""

    def __init__(
        self, pool: Served, settings: ServerSettings, budget: Budget, watcher: Watcher
    ) -> None:
        self._pool = pool
        self._settings = settings
        self._timings = Timings()
        timings = self._timings if settings.show_perf else None
        self._forward = Forward(pool, budget, watcher, timings, settings.show_stacktrace)
        self._metas: Dict[str, bytes] = {}
        self._options: Dict[str, Any] = {}
        if pool.model.limits.max_rows is not None:
            self._options["max_rows"] = pool.model.limits.max_rows
        if settings.strict_rows or not settings.drum:
            self._options["strict_rows"] = True
        if settings.deployment_config is not None:
            self._options["deployment_config"] = str(settings.deployment_config)

    def endpoints(self, prefix: str) -> List[Endpoint]:
        """Every route of this model, under a prefix without a slash at its end."""
        return guarded(self._endpoints(prefix), self._settings, self._pool.name)

    def _endpoints(self, prefix: str) -> List[Endpoint]:
        target = self._pool.model.spec.target.type
        return [
            *self._probes(prefix),
            Endpoint("GET", f"{prefix}/info/", self._info, "What the model is"),
            Endpoint("GET", f"{prefix}/stats/", self._stats, "Processes, memory and times"),
            Endpoint(
                "GET", f"{prefix}/capabilities/", self._capabilities, "What the model accepts"
            ),
            self._predict_endpoint(drum_error, f"{prefix}/predict/", f"{prefix}/predictions/"),
            self._predict_endpoint(error_body, f"{prefix}/invocations"),
            Endpoint(
                "POST",
                f"{prefix}/transform/",
                self._handler("transform")
                if target is TargetType.TRANSFORM
                else self._wrong("transform"),
                "Transform rows",
                _TRANSFORM_OPERATION,
                protocol="drum",
                span="drum.transform",
            ),
            Endpoint(
                "POST",
                f"{prefix}/predictUnstructured/",
                self._handler("unstructured")
                if target in (TargetType.UNSTRUCTURED, TargetType.TEXT_GENERATION)
                else self._wrong("unstructured"),
                "Answer a body of any kind",
                _UNSTRUCTURED_OPERATION,
                aliases=(f"{prefix}/predictionsUnstructured/",),
                protocol="drum",
                span="drum.predictUnstructured",
            ),
        ]

    def _probes(self, prefix: str) -> List[Endpoint]:
        ping, health = f"{prefix}/ping", f"{prefix}/health/"
        return [
            Endpoint("GET", f"{prefix}/", self._ping, "Liveness", aliases=(ping, f"{ping}/")),
            Endpoint("GET", health, self._health, "Readiness", aliases=(health[:-1],)),
        ]

    # Probes and descriptions

    async def _ping(self, scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, 200, JSON, dump({"message": "OK"}), common_headers(scope))

    async def _health(self, scope: Scope, receive: Receive, send: Send) -> None:
        pool = self._pool
        if pool.state in (State.READY, State.DEGRADED) and pool.any_ready:
            await self._ping(scope, receive, send)
            return
        reason = pool.reason.message if pool.reason is not None else f"model is {pool.state.value}"
        headers = [*common_headers(scope), (b"retry-after", b"1")]
        await respond(send, 503, JSON, dump({"message": f"ERROR: {reason}"}), headers)

    async def _info(self, scope: Scope, receive: Receive, send: Send) -> None:
        spec, info = self._pool.model.spec, self._pool.info
        body: Dict[str, Any] = {
            "codeDir": str(spec.code_dir),
            "targetType": spec.target.type.value,
            "language": spec.language,
            "drumVersion": DRUM_VERSION,
            "drumServer": "flask",  # DRUM says so whatever its server is
            "polyhostVersion": __version__,
            "payloadFormats": self._formats(),
            "modelMetadata": spec.options.get("metadata"),
            "predictor": None if info is None else info.guest.framework,
        }
        if spec.target.type is TargetType.BINARY:
            body["positiveClassLabel"] = spec.target.positive
            body["negativeClassLabel"] = spec.target.negative
        elif spec.target.class_labels is not None:
            body["classLabels"] = list(spec.target.class_labels)
        await respond(send, 200, JSON, dump(body), common_headers(scope))

    async def _stats(self, scope: Scope, receive: Receive, send: Send) -> None:
        pids = [worker.pid for worker in self._pool.workers]
        await respond(send, 200, JSON, dump(report(pids, self._timings)), common_headers(scope))

    async def _capabilities(self, scope: Scope, receive: Receive, send: Send) -> None:
        info = self._pool.info
        # Arrow is taken, but not told here: clients of today's DRUM compare the whole answer.
        listed = [name for name in self._formats() if name != "arrow"]
        body = {
            "supported_methods": {"chat": info is not None and "chat" in info.hooks},
            "supported_payload_formats": dict.fromkeys(listed),
        }
        await respond(send, 200, JSON, dump(body), common_headers(scope))

    def _formats(self) -> List[str]:
        info = self._pool.info
        return list(dict.fromkeys(("csv", *(info.formats if info is not None else ()))))

    # Predictions

    def _meta(self, content_type: str) -> bytes:
        """The request's meta for structured bodies of this type; equal ones may share a batch."""
        meta = self._metas.get(content_type)
        if meta is None:
            request = Request("predict", "drum", content_type, options=self._options)
            meta = dumps(request.to_wire())
            if len(self._metas) > 64:
                self._metas.clear()
            self._metas[content_type] = meta
        return meta

    def _fast_meta(self, content_type: str) -> Optional[bytes]:
        return None if content_type.startswith(FORM) else self._meta(content_type)

    def _predict_endpoint(self, shape: ErrorShape, path: str, *aliases: str) -> Endpoint:
        """The hot route: forward the body, return the body."""

        async def predict(scope: Scope, receive: Receive, send: Send) -> None:
            content_type = header(scope, b"content-type")
            meta = self._meta(content_type)
            await self._rows(scope, receive, send, meta, content_type, shape)

        structured = self._pool.model.spec.target.type.is_structured
        return Endpoint(
            "POST",
            path,
            predict if structured else self._wrong("predict"),
            "Predict rows",
            _PREDICT_OPERATION,
            aliases=aliases,
            protocol="drum",
            span="drum.invocations",
            fast=FastRoute(self._forward, self._fast_meta, shape, _headers_of_id)
            if structured
            else None,
        )

    def _handler(self, op: str) -> Handler:
        async def handle(scope: Scope, receive: Receive, send: Send) -> None:
            content_type = header(scope, b"content-type")
            query = scope["query_string"].decode("latin-1")
            request = Request(
                op,
                "drum",
                content_type,
                query=tuple(parse_qsl(query, keep_blank_values=True)),
                headers={"X-Request-Id": request_id(scope).decode(), **headers_of(scope)},
                options=self._options,
            )
            meta = dumps(request.to_wire())
            if op == "transform":
                await self._rows(scope, receive, send, meta, content_type, drum_error)
            else:
                headers = common_headers(scope)
                shape = partial(drum_error, content_type=content_type)
                await self._forward(scope, receive, send, meta, headers, shape)

        return handle

    async def _rows(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        meta: bytes,
        content_type: str,
        shape: ErrorShape,
    ) -> None:
        """Forward a body that must hold rows; it is tried once more when its worker dies."""
        await self._forward(
            scope,
            receive,
            send,
            meta,
            common_headers(scope),
            lambda error: shape(error, content_type),
            retry=True,
            without_body=(422, _NO_SAMPLES_BODY),
            has_body=not content_type.startswith(FORM),
        )

    def _wrong(self, op: str) -> Handler:
        target = self._pool.model.spec.target.type
        right = (
            "transform"
            if target is TargetType.TRANSFORM
            else "unstructured"
            if target is TargetType.UNSTRUCTURED
            else "predict"
        )
        shown = f"'{target.value}'" if op == "predict" else f"TargetType.{target.name}"
        routes = " or ".join(ROUTES_OF[right])
        error = WrongEndpoint(f"This model has target type {shown}, use the {routes} endpoint.")

        async def handle(scope: Scope, receive: Receive, send: Send) -> None:
            headers = common_headers(scope)
            try:
                await self._forward.skip(scope, receive)
            except ClientGone:
                return
            except PolyhostError as refusal:
                status, data, extra = error_body(refusal, "")
                await refuse(receive, send, status, data, [*headers, *extra])
                return
            data = dump({"message": f"ERROR: {error.message}"})
            await respond(send, 422, JSON, data, headers)

        return handle


def headers_of(scope: Scope) -> Dict[str, str]:
    """All request headers, names in canonical capitals; of repeated ones the values are joined."""
    found: Dict[str, str] = {}
    for key, value in scope["headers"]:
        name = key.decode("latin-1").title()
        text = value.decode("latin-1")
        found[name] = f"{found[name]},{text}" if name in found else text
    return found


def error_endpoints(prefix: str, failure: Optional[PolyhostError]) -> List[Endpoint]:
    """The error server: a failed start is told with 513 on the routes that clients poll."""
    text = failure.message if failure is not None else "the model failed to load"
    body = dump({"message": f"ERROR: {text}"})

    async def tell(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, 513, JSON, body, common_headers(scope))

    get = ["/", "/ping/", "/ping", "/health/", "/health"]
    post = ["/transform/", *ROUTES_OF["predict"], *ROUTES_OF["unstructured"]]
    return [Endpoint("GET", prefix + path, tell, "The start failed") for path in get] + [
        Endpoint("POST", prefix + path, tell, "The start failed") for path in post
    ]


BACKENDS = ("/directAccess/", "/nim/")
"""Below these DRUM hands requests on to a model server that runs beside it; here is none."""


async def no_backend(scope: Scope, receive: Receive, send: Send) -> None:
    """Tell that there is no model server to hand the request on to."""
    text = "this model has no model server behind it that could be accessed directly."
    known = scope["method"] in ("GET", "HEAD", "POST", "PUT")
    body = dump({"message": f"ERROR: {text}"})
    await respond(send, 400 if known else 405, JSON, body, common_headers(scope))


_ERRORS = {
    "422": {"description": "the body cannot be used: `message` says why"},
    "500": {"description": "the model's own code failed: `message` says where"},
    "503": {"description": "the model is not ready"},
    "504": {"description": "the model's deadline passed"},
}
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_SPLIT = {
    "type": "object",
    "required": ["data"],
    "properties": {
        "columns": {"type": "array", "items": {"type": "string"}},
        "data": {"type": "array", "items": {"type": "array", "items": {}}},
    },
}
_PREDICT_OPERATION: Dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {"schema": {"type": "string"}},
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "dataframe_split": _SPLIT,
                        "dataframe_records": {"type": "array", "items": {"type": "object"}},
                    },
                }
            },
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["X"],
                    "properties": {"X": {"type": "string", "format": "binary"}},
                }
            },
        },
    },
    "responses": {
        "200": {
            "description": "one prediction a row",
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["predictions"],
                        "properties": {"predictions": {"type": "array", "items": {}}},
                    }
                }
            },
        },
        "400": {"description": "the JSON body cannot be used: `message` says why"},
        **_ERRORS,
    },
}
_TRANSFORM_OPERATION: Dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {"schema": {"type": "string"}},
            "multipart/form-data": _PREDICT_OPERATION["requestBody"]["content"][
                "multipart/form-data"
            ],
        },
    },
    "responses": {
        "200": {"description": "the rows, transformed", "content": {"multipart/form-data": {}}},
        **_ERRORS,
    },
}
_UNSTRUCTURED_OPERATION: Dict[str, Any] = {
    "requestBody": {"content": {"*/*": _BINARY}},
    "responses": {"200": {"description": "what the hook returned"}, **_ERRORS},
}

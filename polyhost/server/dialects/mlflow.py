"""MLflow's scoring protocol over a model that MLflow saved: the host half."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, List, Mapping, Tuple

from polyhost.codecs import Request
from polyhost.codecs.accept import form_of
from polyhost.data.target import TargetType
from polyhost.errors import (
    AccessDenied,
    GuestStatus,
    InvalidInput,
    InvalidOutput,
    ModelError,
    PolyhostError,
    SchemaMismatch,
    UnsupportedContentType,
    WorkerError,
)
from polyhost.server.auth import guarded
from polyhost.server.call.head import RequestHead
from polyhost.server.call.route import Route, Service
from polyhost.server.call.served_model import Served, can_answer
from polyhost.server.call.status import status_of
from polyhost.server.dialects.answers import JSON, RETRY_AFTER, headers_of_id
from polyhost.server.http.asgi import Header, Receive, Scope, Send, respond
from polyhost.server.http.endpoint import Endpoint, calling
from polyhost.server.http.request_id import request_id
from polyhost.wire.frames import dumps

OPTION = "mlmodel"
"""The option of a spec whose folder MLflow saved."""
VERSION = "3.17.2"
"""The version of MLflow whose protocol this is: what ``/version`` says."""
STREAM = "text/event-stream"
TEXT = b"text/plain; charset=utf-8"
_HIDE_DETAILS = "MLFLOW_DISABLE_SCHEMA_DETAILS"
_NO_DETAILS = (
    "Failed to enforce the schema of the input. The data does not fit the model's signature."
)
_CODES: Mapping[int, str] = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "ENDPOINT_NOT_FOUND",
    413: "BAD_REQUEST",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    501: "NOT_IMPLEMENTED",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_UNEXPECTED = (
    "Encountered an unexpected error while evaluating the model. Verify that the input is "
    "compatible with the model for inference. Error: "
)


def is_saved(model: Served) -> bool:
    """Whether MLflow saved a model's folder."""
    return OPTION in model.config.spec.options


class MlflowRoutes:
    """``/invocations``, ``/ping``, ``/health`` and ``/version`` of one model that MLflow saved."""

    def __init__(self, model: Served, service: Service) -> None:
        self._model = model
        self._service = service
        self._metas: Dict[Tuple[str, bytes], bytes] = {}
        self._options: Dict[str, Any] = {}
        if model.config.spec.options.get("literal_nan"):
            self._options["literal_nan"] = True

    def endpoints(self, prefix: str) -> List[Endpoint]:
        """The routes, under a prefix without a slash at its end; none of another model."""
        if not is_saved(self._model):
            return []
        probes = [
            Endpoint(
                "GET", f"{prefix}/ping", self._ping, "Whether it answers", {}, (f"{prefix}/ping/",)
            ),
            Endpoint("GET", f"{prefix}/health", self._ping, "Whether it answers"),
            Endpoint("GET", f"{prefix}/version", self._version, "The protocol's version"),
        ]
        settings, name = self._service.settings, self._model.name
        return [*guarded(probes, settings, name), self._invocations(f"{prefix}/invocations")]

    def _invocations(self, path: str) -> Endpoint:
        route = Route(
            self._service,
            self._model,
            path,
            protocol="mlflow",
            span="mlflow.invocations",
            meta=self._meta,
            shape=error_body,
            common=headers_of_id,
            retry=self._model.config.spec.target.type is not TargetType.UNSTRUCTURED,
        )
        return calling("POST", path, route, "Ask the model", _OPERATION)

    def _meta(self, head: RequestHead) -> bytes:
        """The worker's meta for bodies of this type; equal ones may share a call."""
        key = head.content_type, head.get(b"accept")
        meta = self._metas.get(key)
        if meta is None:
            accepted = key[1].decode("latin-1")
            form = STREAM if STREAM in accepted else form_of(accepted, strict=False)
            request = Request("predict", "mlflow", key[0], form, options=self._options)
            meta = dumps(request.to_wire())
            if len(self._metas) > 64:
                self._metas.clear()
            self._metas[key] = meta
        return meta

    async def _ping(self, scope: Scope, receive: Receive, send: Send) -> None:
        """200 says that a request would be answered; a lazy model is loaded for it."""
        headers = headers_of_id(request_id(scope))
        if can_answer(self._model):
            await respond(send, 200, JSON, b"\n", headers)
            return
        reason = self._model.reason
        text = reason.message if reason is not None else f"model is {self._model.state.value}"
        body = _dump({"error_code": _CODES[503], "message": text})
        await respond(send, 503, JSON, body, [*headers, (b"retry-after", b"1")])

    async def _version(self, scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, 200, JSON, VERSION.encode(), headers_of_id(request_id(scope)))


def error_body(error: PolyhostError, content_type: str) -> Tuple[int, bytes, List[Header]]:
    """Status, body and extra headers of an error, as MLflow's clients read it."""
    if isinstance(error, UnsupportedContentType):
        return 415, error.message.encode(), [(b"content-type", TEXT)]
    status, code = _status(error), ""
    body: Dict[str, Any] = {}
    message = error.message
    if isinstance(error, SchemaMismatch):
        code = "INVALID_PARAMETER_VALUE"
        if error.facts.get("castable") is False:
            code = "BAD_REQUEST"
        else:
            body["error_class"] = "SCHEMA_ENFORCEMENT_FAILED"
        if os.environ.get(_HIDE_DETAILS, "").strip().lower() in ("true", "1"):
            message = _NO_DETAILS
    elif isinstance(error, ModelError) and not isinstance(error, InvalidOutput):
        code = str(error.facts.get("mlflow_code") or ("BAD_REQUEST" if status == 400 else ""))
        own = bool(error.facts.get("mlflow_code"))
        told = str(error.facts.get("native_message") or message)
        message = f"Failed to predict data. \nError: {told}" if own else _UNEXPECTED + message
        body["stack_trace"] = str(error.facts.get("native_traceback") or "")
    elif isinstance(error, InvalidInput) and status == 400:
        code = "BAD_REQUEST"
    body["error_code"] = code or _CODES.get(status, "INTERNAL_ERROR")
    body["message"] = message
    headers: List[Header] = []
    if status in RETRY_AFTER:
        seconds = error.facts.get("retry_after", RETRY_AFTER[status])
        headers.append((b"retry-after", str(seconds).encode()))
    return status, _dump(body), headers


def _status(error: PolyhostError) -> int:
    if isinstance(error, (GuestStatus, WorkerError, AccessDenied)):
        return status_of(error)
    if isinstance(error, InvalidOutput):
        return 500
    if isinstance(error, ModelError):
        return int(error.facts.get("mlflow_status", 400))
    status = status_of(error)
    return 400 if isinstance(error, InvalidInput) and status == 422 else status


def _dump(value: Mapping[str, Any]) -> bytes:
    ordered = sorted(value.items(), key=lambda item: item[0] == "stack_trace")
    return json.dumps(dict(ordered), separators=(",", ":")).encode()


_EXAMPLES = {
    "dataframe_split": {"columns": ["x1", "x2"], "data": [[1.0, 2.0]]},
    "dataframe_records": [{"x1": 1.0, "x2": 2.0}],
    "inputs": {"x1": [1.0], "x2": [2.0]},
    "instances": [{"x1": 1.0, "x2": 2.0}],
}
_OPERATION: Mapping[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "object"},
                "examples": {name: {"value": {name: each}} for name, each in _EXAMPLES.items()},
            },
            "text/csv": {"schema": {"type": "string"}},
        },
    },
    "responses": {
        "200": {
            "description": "what the model's predict returned",
            "content": {"application/json": {"schema": {"type": "object"}}},
        },
        "400": {"description": "the body, or its rows, do not fit the model"},
        "415": {"description": "the type of the body is not known"},
    },
}

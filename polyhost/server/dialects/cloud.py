"""Azure ML's and Vertex AI's routes: the host half, one set for each model."""

from __future__ import annotations

import os
from typing import Any, Dict, List, Mapping, Optional, Tuple

from polyhost.codecs import Request
from polyhost.errors import InvalidInput, PolyhostError, UnsupportedContentType
from polyhost.server.auth import guarded
from polyhost.server.call.head import Header, RequestHead
from polyhost.server.call.route import Route, Service
from polyhost.server.call.served_model import Served, can_answer
from polyhost.server.dialects.answers import (
    JSON,
    common_headers,
    drum_error,
    dump,
    headers_of_id,
)
from polyhost.server.http.asgi import Receive, Scope, Send, respond
from polyhost.server.http.endpoint import Endpoint, calling
from polyhost.wire.frames import dumps

CLIENT_ID, REQUEST_ID, TRACE = b"x-ms-client-request-id", b"x-ms-request-id", b"trace-id"
_AZURE_IDS = frozenset((CLIENT_ID, REQUEST_ID, TRACE))
_EMPTY = InvalidInput("the body is empty: expected JSON with the rows to predict")


class CloudRoutes:
    """The routes of both over one model."""

    def __init__(self, model: Served, service: Service) -> None:
        self._model = model
        self._service = service
        self._structured = model.config.spec.target.type.is_structured

    def endpoints(self, prefix: str) -> List[Endpoint]:
        """Azure's route; at the root of a server, those that Vertex AI's variables name as well."""
        if not self._structured:
            return []
        found = [self._predict(f"{prefix}/score", "azure", "Predict rows (Azure ML)", AZURE)]
        if prefix == self._service.settings.url_prefix:
            found += self._vertex()
        return found

    def _vertex(self) -> List[Endpoint]:
        health, predict = vertex_paths(os.environ)
        found = []
        if predict:
            found.append(self._predict(predict, "vertex", "Predict rows (Vertex AI)", VERTEX))
        if health:
            own = [Endpoint("GET", health, self._health, "Whether the model answers (Vertex AI)")]
            found += guarded(own, self._service.settings, self._model.name)
        return found

    async def _health(self, scope: Scope, receive: Receive, send: Send) -> None:
        ready = can_answer(self._model)
        body = dump({"message": "OK" if ready else f"model is {self._model.state.value}"})
        await respond(send, 200 if ready else 503, JSON, body, common_headers(scope))

    def _predict(
        self, path: str, platform: str, summary: str, operation: Mapping[str, Any]
    ) -> Endpoint:
        metas: Dict[str, bytes] = {}

        def meta(head: RequestHead) -> bytes:
            kind = head.content_type
            found = metas.get(kind)
            if found is None:
                options = {"platform": platform}
                found = dumps(Request("predict", "cloud", kind, options=options).to_wire())
                if len(metas) < 64:
                    metas[kind] = found
            return found

        azure = platform == "azure"
        route = Route(
            self._service,
            self._model,
            path,
            protocol=platform,
            span=f"{platform}.predict",
            meta=meta,
            shape=shape,
            common=_azure_headers if azure else headers_of_id,
            echoed=_AZURE_IDS if azure else frozenset(),
            echo=_azure_echo,
            retry=True,
            empty=_EMPTY,
        )
        return calling("POST", path, route, summary, operation)


def vertex_paths(environment: Mapping[str, str]) -> Tuple[str, str]:
    """The paths for health and predictions that Vertex AI's variables name; empty for none."""
    health = environment.get("AIP_HEALTH_ROUTE", "")
    predict = environment.get("AIP_PREDICT_ROUTE", "")
    endpoint = environment.get("AIP_ENDPOINT_ID", "")
    deployed = environment.get("AIP_DEPLOYED_MODEL_ID", "")
    if endpoint and deployed:
        place = f"/v1/endpoints/{endpoint}/deployedModels/{deployed}"
        health, predict = health or place, predict or f"{place}:predict"
    return health, predict


def shape(error: PolyhostError, content_type: str) -> Tuple[int, bytes, List[Header]]:
    """An error for platforms that look at the status alone, and show the text to their callers."""
    status, _, headers = drum_error(error, content_type)
    if isinstance(error, UnsupportedContentType):
        status = 415
    status = 400 if status == 422 else status
    return status, dump({"message": f"ERROR: {error.message}", "error": error.message}), headers


def _azure_headers(id: bytes) -> List[Header]:
    return [*headers_of_id(id), (REQUEST_ID, id)]


def _azure_echo(head: RequestHead) -> List[Header]:
    """The headers of an answer whose request brought identifiers of its own."""
    client = head.get(CLIENT_ID) or head.get(REQUEST_ID)
    found = [*headers_of_id(head.id), (REQUEST_ID, client or head.id)]
    if client:
        found.append((CLIENT_ID, client))
    trace: Optional[bytes] = head.get(TRACE)
    return [*found, (TRACE, trace)] if trace else found


def _operation(properties: Mapping[str, Any], answer: Mapping[str, Any]) -> Dict[str, Any]:
    body = {"type": "object", "properties": dict(properties)}
    return {
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            "200": {
                "description": "one prediction a row",
                "content": {"application/json": {"schema": dict(answer)}},
            },
            "400": {"description": "the body cannot be used: `message` says why"},
            "415": {"description": "the body is not JSON"},
            "500": {"description": "the model's own code failed: `message` says where"},
            "503": {"description": "the model is not ready"},
        },
    }


_LIST = {"type": "array", "items": {}}
AZURE = _operation({"data": _LIST, "input_data": {}, "Inputs": {"type": "object"}}, {})
VERTEX = _operation(
    {"instances": _LIST, "parameters": {"type": "object"}},
    {"type": "object", "required": ["predictions"], "properties": {"predictions": _LIST}},
)

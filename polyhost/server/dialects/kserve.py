"""KServe's V1 routes: the host half, one set for each model, whose paths hold its name."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any, Dict, List, Mapping, Tuple

from polyhost.codecs import Request, split_content_type
from polyhost.codecs.cloud_events import EVENTS, REQUIRED
from polyhost.errors import InvalidInput, PolyhostError, UnsupportedContentType, WrongEndpoint
from polyhost.server.call.head import Header, RequestHead
from polyhost.server.call.route import Route, Service
from polyhost.server.call.served_model import Served
from polyhost.server.dialects.answers import id_header, plain_error, text_error
from polyhost.server.dialects.samples import with_rows
from polyhost.server.dialects.v2_documents import ERRORS
from polyhost.server.http.endpoint import Endpoint, calling
from polyhost.wire.frames import dumps

TYPES = ("", "application/json", "application/x-www-form-urlencoded", EVENTS)
"""What a body's type may be; the third is what curl says of any body."""
_ATTRIBUTE = b"ce-"
_EMPTY = InvalidInput('the body is empty: expected JSON such as {"instances": [[1, 2]]}')


class KserveRoutes:
    """The routes of one model."""

    def __init__(self, model: Served, service: Service) -> None:
        self._model = model
        self._service = service
        self._plain = self._meta_of({})
        settings = {
            "type": os.environ.get("CE_TYPE", ""),
            "source": os.environ.get("CE_SOURCE", ""),
        }
        merge = os.environ.get("CE_MERGE", "").lower() == "true"
        self._events: Dict[str, Any] = {**settings, "merge": merge}

    def endpoints(self, prefix: str) -> List[Endpoint]:
        """None: they stand at the root."""
        return []

    def named_endpoints(self, prefix: str) -> List[Endpoint]:
        """Every route of this model, under a prefix without a slash at its end."""
        base = f"{prefix}/v1/models/{self._model.name}"
        predict, explain = f"{base}:predict", f"{base}:explain"
        none = WrongEndpoint(f"model {self._model.name!r} offers no explanations")
        return [
            calling(
                "POST",
                predict,
                self._route(predict, plain_error),
                "Predict rows",
                with_rows(PREDICT, self._model),
            ),
            replace(
                calling(
                    "POST",
                    explain,
                    self._route(explain, _not_offered, refusal=none, empty=None),
                    "Explain predictions: not offered",
                    {},
                ),
                documented=False,
            ),
        ]

    def _route(self, path: str, shape: Any, **options: Any) -> Route:
        return Route(
            self._service,
            self._model,
            path,
            protocol="v1",
            span="v1.predict",
            meta=self._meta,
            shape=shape,
            common=id_header,
            retry=True,
            **{"empty": _EMPTY, **options},
        )

    def _meta(self, head: RequestHead) -> bytes:
        """The request's meta; equal ones may share a call. An event has one of its own."""
        kind = split_content_type(head.content_type)[0].lower()
        if kind not in TYPES:
            raise UnsupportedContentType(
                f"the content type {kind!r} is not supported here: expected application/json or "
                f"{EVENTS}.",
                content_type=kind,
            )
        if kind == EVENTS:
            return self._meta_of({"event": {**self._events, "binary": False}})
        if not any(head.get(_ATTRIBUTE + name.encode()) for name in REQUIRED):
            return self._plain
        attributes = {
            name[len(_ATTRIBUTE) :].decode("latin-1"): value.decode("latin-1")
            for name, value in head.headers
            if name.startswith(_ATTRIBUTE)
        }
        event = {**self._events, "binary": True, "attributes": attributes}
        return self._meta_of({"event": event})

    def _meta_of(self, options: Mapping[str, Any]) -> bytes:
        every = {"model": self._model.name, "strict_rows": True}
        return dumps(Request("predict", "kserve", options={**every, **options}).to_wire())


def _not_offered(error: PolyhostError, content_type: str) -> Tuple[int, bytes, List[Header]]:
    """501 for the request itself; what keeps it from being read has its own status."""
    if isinstance(error, WrongEndpoint):
        return 501, text_error(error.message), []
    return plain_error(error, content_type)


_ROWS = {"type": "array", "items": {}}
_BODY = {
    "type": "object",
    "properties": {
        "instances": _ROWS,
        "inputs": _ROWS,
        "parameters": {"type": "object", "properties": {"return_proba": {"type": "boolean"}}},
    },
}
_ANSWER = {"type": "object", "required": ["predictions"], "properties": {"predictions": _ROWS}}
PREDICT: Dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": _BODY}}},
    "responses": {
        "200": {
            "description": "one prediction a row",
            "content": {
                "application/json": {"schema": _ANSWER},
                EVENTS: {"schema": {"type": "object"}},
            },
        },
        **ERRORS,
    },
}

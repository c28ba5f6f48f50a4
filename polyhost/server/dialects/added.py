"""The host half of a protocol that an installed package adds: routes that pass bodies to its codec."""

from __future__ import annotations

from functools import partial
from typing import List
from urllib.parse import parse_qsl

from polyhost.codecs import Request
from polyhost.plugins import AddedRoute, Dialect
from polyhost.server.call.head import RequestHead
from polyhost.server.call.route import Route, Service
from polyhost.server.call.served_model import Served
from polyhost.server.dialects.answers import error_body, headers_of_id
from polyhost.server.http.endpoint import Endpoint, calling
from polyhost.wire.frames import dumps


class AddedModel:
    """The routes of one such protocol over one model."""

    def __init__(self, dialect: Dialect, model: Served, service: Service) -> None:
        self._dialect = dialect
        self._model = model
        self._service = service
        self._options = {"strict_rows": True}

    def endpoints(self, prefix: str) -> List[Endpoint]:
        """Every route, under a prefix without a slash at its end."""
        return [self._endpoint(prefix + added.path, added) for added in self._dialect.routes]

    def _endpoint(self, path: str, added: AddedRoute) -> Endpoint:
        route = Route(
            self._service,
            self._model,
            path,
            protocol=self._dialect.name,
            span=f"{self._dialect.name}.{added.op}",
            meta=partial(self._meta, added.op),
            shape=error_body,
            common=headers_of_id,
            retry=added.op == "predict",
        )
        return calling("POST", path, route, added.summary or added.op.capitalize(), {})

    def _meta(self, op: str, head: RequestHead) -> bytes:
        """The worker's meta; of predictions only the type counts, so that they may share a call."""
        name, kind, options = self._dialect.name, head.content_type, self._options
        if op == "predict":
            return dumps(Request(op, name, kind, options=options).to_wire())
        query = tuple(parse_qsl(head.query.decode("latin-1"), keep_blank_values=True))
        headers = head.for_model(keys=self._service.keys.asked_for)
        return dumps(Request(op, name, kind, "", query, headers, options).to_wire())

"""The worker half of each client protocol: body → payload or table → answer body.

The host forwards a body with a small :class:`Request` beside it. The worker finds the dialect's
codec, decodes, predicts and encodes; errors are raised (the host shapes them for its client).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Iterator, Mapping, Optional, Tuple, Union

from polyhost.data.payload import Buffer, Payload


@dataclass(frozen=True)
class Request:
    """What the host says about a body. Equal requests may be batched together.

    ``op``: ``predict``, ``unstructured``, ``transform``, ``chat`` or ``models``. ``dialect``: one
    of :data:`polyhost.codecs.dispatch.DIALECTS`. ``content_type`` is as sent, parameters included; empty when none was sent.
    ``headers`` is there only for ops whose hooks see them. ``options`` holds the operator's
    switches that change an answer (``strict_rows``, ``deployment_config`` ...); the worker adds the
    model's own limits, ``max_rows`` of a request and ``call_rows`` of a call.
    """

    op: str
    dialect: str
    content_type: str = ""
    accept: str = ""
    query: Tuple[Tuple[str, str], ...] = ()
    headers: Optional[Mapping[str, str]] = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def to_wire(self) -> Dict[str, Any]:
        wire: Dict[str, Any] = {"op": self.op, "dialect": self.dialect, "type": self.content_type}
        if self.accept:
            wire["accept"] = self.accept
        if self.query:
            wire["query"] = [list(pair) for pair in self.query]
        if self.headers is not None:
            wire["headers"] = dict(self.headers)
        if self.options:
            wire["options"] = dict(self.options)
        return wire

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Request:
        return cls(
            op=wire["op"],
            dialect=wire["dialect"],
            content_type=wire.get("type", ""),
            accept=wire.get("accept", ""),
            query=tuple((k, v) for k, v in wire.get("query", ())),
            headers=wire.get("headers"),
            options=wire.get("options", {}),
        )

    def payload(self, body: Buffer) -> Payload:
        """The body with its type split into mimetype and charset."""
        mimetype, charset = split_content_type(self.content_type)
        return Payload(body, mimetype, charset, self.query, self.headers, options=self.options)


@dataclass(frozen=True)
class Answer:
    """An answer as it goes to the client; an iterator body is streamed chunk by chunk."""

    body: Union[bytes, Iterator[bytes]]
    content_type: str = "application/json"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def split_content_type(value: str) -> Tuple[str, Optional[str]]:
    """``text/csv; charset=UTF-8`` → ``("text/csv", "UTF-8")``; no charset is None."""
    mimetype, _, rest = value.partition(";")
    charset = None
    for parameter in rest.split(";"):
        key, _, text = parameter.partition("=")
        if key.strip().lower() == "charset":
            charset = text.strip().strip('"') or None
    return mimetype.strip(), charset

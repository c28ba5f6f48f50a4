"""What answers have in common, whatever the route: headers, JSON, and how an error is reported."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping, Tuple

from polyhost.drum_compat import DRUM_VERSION
from polyhost.errors import GuestStatus, InvalidInput, PolyhostError, UnsupportedContentType
from polyhost.server.call.status import status_of
from polyhost.server.http.asgi import Header, Scope
from polyhost.server.http.request_id import request_id

JSON = b"application/json"
RETRY_AFTER = {429: 1, 503: 5}
"""Seconds that a client is asked to wait where the error itself says nothing."""
_VERSION_HEADER = (b"x-drum-version", DRUM_VERSION.encode())


def dump(value: Mapping[str, Any]) -> bytes:
    """A dictionary as DRUM writes it: keys sorted, compact, a newline at the end."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def common_headers(scope: Scope) -> List[Header]:
    """The headers of every response: the request's id, and the version."""
    id = request_id(scope)
    return headers_of_id(id)


def headers_of_id(id: bytes) -> List[Header]:
    """The same, for a request whose id is known."""
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


def invocations_error(error: PolyhostError, content_type: str) -> Tuple[int, bytes, List[Header]]:
    """The same on ``/invocations``, where MLflow's and SageMaker's clients expect 415, and MindsDB
    asks without a body or a type whether the address is right."""
    status, body, headers = error_body(error, content_type)
    if isinstance(error, UnsupportedContentType):
        status = 415
    elif status == 422 and not content_type:
        status = 400
    return status, body, headers


def plain_error(error: PolyhostError, content_type: str) -> Tuple[int, bytes, List[Header]]:
    """Status, body and extra headers of an error for clients that read one text under ``error``."""
    status = status_of(error)
    headers: List[Header] = []
    if isinstance(error, UnsupportedContentType):
        status = 415
    elif isinstance(error, InvalidInput) and status == 422:
        status = 400
    elif status in RETRY_AFTER:
        seconds = error.facts.get("retry_after", RETRY_AFTER[status])
        headers.append((b"retry-after", str(seconds).encode()))
    return status, text_error(error.message), headers


def text_error(text: str) -> bytes:
    """The body of such an error."""
    return json.dumps({"error": text}, separators=(",", ":")).encode()


def id_header(id: bytes) -> List[Header]:
    """The header of every answer to clients that are not DRUM's: the request's id."""
    return [(b"x-request-id", id)]


def drum_error(error: PolyhostError, content_type: str) -> Tuple[int, bytes, List[Header]]:
    """The same on a route that no client of MLflow asks, whatever the type of the body."""
    return error_body(error, "")

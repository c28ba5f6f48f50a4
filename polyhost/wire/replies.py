"""What an answer's status, type and headers may be, and which statuses have a body.

The worker checks what it is about to send, and the host what it is about to pass on: an answer that
cannot be written must fail by itself, before it reaches a connection that others share.
"""

from __future__ import annotations

import json
import re
from typing import Any, Mapping, Optional, Set

from polyhost.errors import GuestStatus, InvalidOutput, ModelError, PolyhostError, to_wire
from polyhost.wire import frames

LOWEST, HIGHEST = 200, 599
"""Statuses that may end a request; 1xx only announce another."""
BODILESS = frozenset((204, 205, 304))
"""Statuses whose answers have no body (RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5)."""

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_KEPT = 256
_checked: Set[bytes] = set()


def check_meta(meta: bytes) -> None:
    """Raise InvalidOutput where a REPLY's meta cannot become an answer; equal ones are read once."""
    if meta in _checked:
        return
    try:
        wire = json.loads(meta)
        status, kind, headers = wire["status"], wire["type"], wire.get("headers") or {}
        check_head(status, kind, headers)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InvalidOutput(
            f"the worker's reply has the meta {meta[:200]!r}: expected an object with status and "
            "type."
        ) from None
    if len(_checked) < _KEPT:
        _checked.add(meta)


def check_head(status: Any, content_type: Any, headers: Mapping[Any, Any]) -> None:
    """Raise InvalidOutput for a status, a content type or a header that no answer can have."""
    if not is_final(status):
        raise InvalidOutput(f"the model answered with the status {status!r}: {_EXPECTED}.")
    _check_value("content type", content_type or "")
    for name, value in headers.items():
        if not isinstance(name, str) or not _NAME.match(name):
            raise InvalidOutput(
                f"the model answered with a header named {name!r}: expected letters, digits and "
                "hyphens."
            )
        _check_value(f"header {name}", value)


_EXPECTED = f"expected a whole number from {LOWEST} to {HIGHEST}"


def is_final(status: Any) -> bool:
    """True for a status that may end a request."""
    return isinstance(status, int) and type(status) is not bool and LOWEST <= status <= HIGHEST


def _check_value(what: str, value: Any) -> None:
    problem = _problem_of(value)
    if problem is not None:
        raise InvalidOutput(f"the model answered with the {what} {value!r}: it {problem}.")


def _problem_of(value: Any) -> Optional[str]:
    if not isinstance(value, str):
        return f"is of type {type(value).__name__}, expected text"
    if _CONTROL.search(value):
        return "holds a line break or another control character"
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        return "holds characters outside latin-1"
    return None


def checked_error(error: PolyhostError) -> PolyhostError:
    """The error itself, or a ModelError where it asks for a status that no answer can have."""
    if not isinstance(error, GuestStatus) or is_final(error.facts.get("status")):
        return error
    facts = {name: value for name, value in error.facts.items() if name != "status"}
    hook = facts.get("hook")
    where = f"model {hook!r}" if hook else "the model"
    return ModelError(
        f"{where} asked for the HTTP status {error.facts.get('status')!r}: {_EXPECTED}. It said: "
        f"{error.message}",
        **facts,
    )


LONGEST_MESSAGE, LONGEST_FACT = 100_000, 20_000


def error_meta(error: BaseException) -> bytes:
    """The tagged error as JSON, cut to what a frame may hold."""
    wire = to_wire(error)
    try:
        meta = frames.dumps(wire)
    except (TypeError, ValueError):
        wire["facts"] = {key: repr(value)[:2000] for key, value in wire["facts"].items()}
        meta = frames.dumps(wire)
    if len(meta) <= frames.MAX_META // 2:
        return meta
    wire["message"] = wire["message"][:LONGEST_MESSAGE]
    wire["facts"] = {
        key: value[:LONGEST_FACT] if isinstance(value, str) else value
        for key, value in wire["facts"].items()
        if len(json.dumps(value)) <= LONGEST_FACT or isinstance(value, str)
    }
    meta = frames.dumps(wire)
    if len(meta) <= frames.MAX_META:
        return meta
    return frames.dumps({"kind": wire["kind"], "message": wire["message"]})

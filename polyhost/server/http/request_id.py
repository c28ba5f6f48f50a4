"""The id of a request: the client's own or one made here; the same in answer, logs and hooks."""

from __future__ import annotations

import re
from random import getrandbits
from typing import Any, Iterable, MutableMapping, Tuple

_KEY = "polyhost.request_id"
_NAMES = (b"x-request-id", b"x_request_id")
_PRINTABLE = re.compile(rb"[\x21-\x7e](?:[\x20-\x7e]{0,126}[\x21-\x7e])?")


def request_id(scope: MutableMapping[str, Any]) -> bytes:
    """The id of this request; what a client sent is taken when it is 1-128 printable characters."""
    found = scope.get(_KEY)
    if found is None:
        found = scope[_KEY] = chosen_id(scope["headers"])
    return found


def chosen_id(headers: Iterable[Tuple[bytes, bytes]]) -> bytes:
    """The id that these headers bring, or a new one."""
    for key, value in headers:
        if key in _NAMES and _PRINTABLE.fullmatch(value):
            return bytes(value)
    return _made()


def _made() -> bytes:
    """A random UUID. It names a request and keeps no secret, so it needs no system call."""
    h = b"%032x" % getrandbits(128)
    return b"%b-%b-4%b-a%b-%b" % (h[:8], h[8:12], h[13:16], h[17:20], h[20:])

"""Status lines, and the body of an answer that comes from the server itself."""

from __future__ import annotations

import http
import json
from typing import Dict


def _line(status: int) -> bytes:
    try:
        phrase = http.HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()


STATUS_LINE: Dict[int, bytes] = {status: _line(status) for status in range(100, 600)}


def message(text: str) -> bytes:
    """The body of an answer that refuses a request."""
    return json.dumps({"message": f"ERROR: {text}"}, separators=(",", ":")).encode() + b"\n"

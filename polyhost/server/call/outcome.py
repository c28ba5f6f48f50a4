"""What a call comes to: status, headers, and a body in memory, in a file, or as it is made."""

from __future__ import annotations

import json
import os
from typing import AsyncIterator, Dict, List, Optional, Tuple

from polyhost.host.request import Result
from polyhost.wire.replies import BODILESS

Header = Tuple[bytes, bytes]
JSON = b"application/json"
FILE_CHUNK = 256 << 10


class OutcomeHead:
    """Status and headers of an answer, without those of every answer and its length.

    Equal ones of the same worker are one object; ``line`` keeps them as a transport writes them,
    ``coded`` those of a compressed body.
    """

    __slots__ = ("status", "headers", "line", "coded")

    def __init__(self, status: int, headers: List[Header]) -> None:
        self.status = status
        self.headers = headers
        self.line: Optional[bytes] = None
        self.coded: Optional[Dict[str, Optional[OutcomeHead]]] = None

    @property
    def has_body(self) -> bool:
        """Whether answers of this status have a body."""
        return self.status not in BODILESS


class Outcome:
    """An answer: one of ``body``, ``fd`` (an open file, its receiver's to close) and ``stream``.

    ``ends``: the request's body was not read to its end; its connection cannot go on.
    """

    __slots__ = ("head", "body", "fd", "stream", "ends")

    def __init__(
        self,
        head: OutcomeHead,
        body: bytes = b"",
        fd: Optional[int] = None,
        stream: Optional[AsyncIterator[bytes]] = None,
        ends: bool = False,
    ) -> None:
        self.head = head
        self.body = body
        self.fd = fd
        self.stream = stream
        self.ends = ends

    @property
    def status(self) -> int:
        """The status of the answer."""
        return self.head.status

    def drop(self) -> None:
        """Let go of a file that nobody will send."""
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None


_KEPT = 256
_heads: Dict[bytes, OutcomeHead] = {}


def head_of(meta: bytes) -> OutcomeHead:
    """The head that a worker's reply has; the common ones are read once."""
    found = _heads.get(meta)
    if found is None:
        wire = json.loads(meta)
        headers = [(b"content-type", wire["type"].encode("latin-1"))] if wire["type"] else []
        for name, value in wire.get("headers", {}).items():
            headers.append((name.lower().encode("latin-1"), value.encode("latin-1")))
        status = int(wire["status"])
        found = OutcomeHead(status, [] if status in BODILESS else headers)
        if len(_heads) < _KEPT:
            _heads[meta] = found
    return found


def outcome_of(result: Result, stream: Optional[AsyncIterator[bytes]]) -> Outcome:
    """The outcome that a worker's reply is; ``stream`` reads its chunks, if it has some."""
    head = head_of(result.meta)
    if head.has_body:
        return Outcome(head, result.body, result.fd, stream)
    if result.fd is not None:
        os.close(result.fd)
    return Outcome(head, stream=stream)

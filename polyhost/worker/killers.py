"""Requests that killed their worker twice: remembered for a while, and refused."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict

from polyhost.worker.request import Pending
from polyhost.worker.spool import Spool

KEPT = 256
FOR_SECONDS = 600.0
LONGEST = 1 << 20
"""Bodies above this many bytes are not remembered: telling them apart would cost too much."""


class Killers:
    """Digests of deadly requests, bounded in number and time."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, float] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._known)

    def add(self, pending: Pending) -> None:
        """Remember a request that has killed twice."""
        if isinstance(pending.body, Spool) or len(pending.body) > LONGEST:
            return
        self._known[_digest(pending.meta, pending.body)] = time.monotonic()
        while len(self._known) > KEPT:
            self._known.popitem(last=False)

    def knows(self, meta: bytes, body: object) -> bool:
        """Whether this request is one of them."""
        if not isinstance(body, bytes) or len(body) > LONGEST:
            return False
        key = _digest(meta, body)
        since = self._known.get(key)
        if since is None:
            return False
        if time.monotonic() - since > FOR_SECONDS:
            del self._known[key]
            return False
        return True


def _digest(meta: bytes, body: bytes) -> bytes:
    return hashlib.blake2b(meta + b"\0" + body, digest_size=16).digest()

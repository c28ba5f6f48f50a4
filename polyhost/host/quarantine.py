"""Requests that killed their worker twice: remembered for a while, and refused.

One whose worker was ended from outside the second time (an operator's kill, the kernel's for want
of memory) may be innocent: it is only suspected, and its next try, alone, decides.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from typing import Callable, List, Optional, Tuple

from polyhost.host.request import Pending

KEPT = 256
FOR_SECONDS = 600.0
LONGEST = 1 << 20
"""Bodies above this many bytes are not remembered: telling them apart would cost too much."""


class Quarantine:
    """Digests of deadly requests, bounded in number and time.

    ``on_added`` is called with each digest that is added here, and whether it ended its worker for certain.
    """

    def __init__(self) -> None:
        self.on_added: Callable[[bytes, bool], None] = lambda digest, certain: None
        self._known: OrderedDict[bytes, Tuple[float, bool]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._known)

    def known(self) -> List[Tuple[bytes, bool]]:
        """Every digest that is remembered, and whether it ended its worker for certain."""
        return [(digest, certain) for digest, (_, certain) in self._known.items()]

    def add(self, pending: Pending, certain: bool) -> None:
        """Remember a request that was there at two deaths, or died on its trial."""
        digest = _digest(pending.meta, pending.body)
        if digest is not None:
            self.learn(digest, certain)
            self.on_added(digest, certain)

    def learn(self, digest: bytes, certain: bool) -> None:
        """Remember what another dispatcher of the same workers has found."""
        self._known[digest] = (time.monotonic(), certain)
        while len(self._known) > KEPT:
            self._known.popitem(last=False)

    def refuses(self, meta: bytes, body: object) -> bool:
        """Whether this request is known to end its worker."""
        return self._guilty(_digest(meta, body)) is True

    def clears(self, meta: bytes, body: object) -> bool:
        """Whether it is only suspected: that is forgotten, and its next try decides."""
        digest = _digest(meta, body)
        suspected = self._guilty(digest) is False
        if suspected and digest is not None:
            del self._known[digest]
        return suspected

    def _guilty(self, digest: Optional[bytes]) -> Optional[bool]:
        """None for one that is not known (any more)."""
        if digest is None or digest not in self._known:
            return None
        since, certain = self._known[digest]
        if time.monotonic() - since > FOR_SECONDS:
            del self._known[digest]
            return None
        return certain


def _digest(meta: bytes, body: object) -> Optional[bytes]:
    if not isinstance(body, bytes) or len(body) > LONGEST:
        return None
    return hashlib.blake2b(meta + b"\0" + body, digest_size=16).digest()

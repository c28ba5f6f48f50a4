"""API keys: which one a request shows, and what it opens."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Iterable, Optional, Sequence, Tuple

from polyhost.errors import KeyMissing, KeyRefused
from polyhost.settings import ApiKey

HEADERS = frozenset((b"authorization", b"x-api-key", b"api-key"))


class Keys:
    """The keys of a server. What a client shows is compared with all of them, in constant time.

    ``asked_for``: there was one at the start; then no request is served without, even if all go.
    """

    def __init__(self, keys: Sequence[ApiKey]) -> None:
        self.asked_for = bool(keys)
        self.use(keys)

    def use(self, keys: Sequence[ApiKey]) -> None:
        """Have these from now on: requests with any other are refused."""
        self._keys = [(bytes.fromhex(key.sha256), key) for key in keys]

    def find(self, headers: Iterable[Tuple[bytes, bytes]]) -> Optional[ApiKey]:
        """The key that a request shows; None when it shows none of ours."""
        found: Optional[ApiKey] = None
        for name, value in headers:
            if name in HEADERS:
                digest = hashlib.sha256(_shown(name, value)).digest()
                for known, key in self._keys:
                    if hmac.compare_digest(known, digest):
                        found = key
        return found

    def check(self, model: str, headers: Iterable[Tuple[bytes, bytes]]) -> None:
        """Raise KeyMissing or KeyRefused for a request that may not use the model."""
        if not self.asked_for:
            return
        key = self.find(headers)
        if key is None:
            raise KeyMissing(
                "no key, or one that is not known: show one as `Authorization: Bearer KEY`"
            )
        if not opens(key, model):
            raise KeyRefused(f"key {key.name!r} does not open model {model!r}")


def opens(key: Optional[ApiKey], model: str) -> bool:
    """Whether a key opens a model; no key is that of a server that asks for none."""
    return key is None or not key.models or model in key.models


def _shown(name: bytes, value: bytes) -> bytes:
    """The key in a header: all of it, after ``Bearer``, or as the password of ``Basic``."""
    if name != b"authorization":
        return value.strip()
    scheme, _, rest = value.partition(b" ")
    if scheme.lower() != b"basic":
        return rest.strip()
    try:
        return base64.b64decode(rest.strip(), validate=True).partition(b":")[2]
    except binascii.Error:
        return b""

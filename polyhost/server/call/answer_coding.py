"""Answers that go out compressed, where their client accepts it and it is worth the work."""

from __future__ import annotations

import asyncio
import os
import zlib
from functools import lru_cache
from typing import Any, Callable, Dict, Optional

from polyhost.server.call.outcome import FILE_CHUNK, Outcome, OutcomeHead

LEAST = 1 << 10
"""Bytes of the smallest answer that is compressed."""
AT_ONCE = 64 << 10
"""Bytes of the largest that is compressed on the event loop."""
_LEVEL = 1
_NEVER = (
    *("image/", "audio/", "video/", "text/event-stream", "application/pdf"),
    *("application/zip", "application/gzip", "application/zstd", "application/vnd.apache.parquet"),
    *("application/x-parquet", "application/parquet"),
)
"""Types that are compressed already, or must leave at once."""


def _zstd() -> Any:
    import zstandard

    return zstandard.ZstdCompressor(level=_LEVEL).compressobj()


_PACKERS: Dict[str, Callable[[], Any]] = {
    "zstd": _zstd,
    "gzip": lambda: zlib.compressobj(_LEVEL, zlib.DEFLATED, 31),
    "x-gzip": lambda: zlib.compressobj(_LEVEL, zlib.DEFLATED, 31),
    "deflate": lambda: zlib.compressobj(_LEVEL, zlib.DEFLATED, 15),
}
"""By coding, the one we prefer first. ``deflate`` is zlib's format (RFC 9110, section 8.4.1.2)."""


@lru_cache(maxsize=256)
def coding_for(accept: bytes) -> str:
    """The coding of an answer, by the request's Accept-Encoding; empty for none."""
    wanted: Dict[str, float] = {}
    for text in accept.decode("latin-1").lower().split(","):
        coding, _, parameter = text.partition(";")
        name, _, value = parameter.partition("=")
        try:
            quality = float(value) if name.strip() == "q" else 1.0
        except ValueError:
            quality = 0.0
        wanted[coding.strip()] = quality
    others = wanted.get("*", 0.0)
    best = max(_PACKERS, key=lambda coding: wanted.get(coding, others))
    quality = wanted.get(best, others)
    return best if quality > 0 and quality >= wanted.get("identity", 0.0) else ""


def packs(outcome: Outcome, accept: bytes) -> str:
    """The coding that an outcome gets; empty where it stays as it is."""
    if outcome.stream is not None or not accept:
        return ""
    if outcome.fd is None and len(outcome.body) < LEAST:
        return ""
    coding = coding_for(accept)
    return coding if coding and _head(outcome.head, coding) is not None else ""


def packed(outcome: Outcome, coding: str) -> Outcome:
    """The outcome with its body compressed; a file becomes a stream that reads it."""
    head = _head(outcome.head, coding)
    assert head is not None
    packer = _PACKERS[coding]()
    if outcome.fd is not None:
        return Outcome(head, stream=_PackedFile(outcome.fd, packer), ends=outcome.ends)
    body = packer.compress(outcome.body) + packer.flush()
    return Outcome(head, body, ends=outcome.ends)


def _head(head: OutcomeHead, coding: str) -> Optional[OutcomeHead]:
    """The same head for a compressed body, one object each; None where it is not to be."""
    if head.coded is None:
        head.coded = {}
    if coding not in head.coded:
        head.coded[coding] = _coded(head, coding)
    return head.coded[coding]


def _coded(head: OutcomeHead, coding: str) -> Optional[OutcomeHead]:
    named = dict(head.headers)
    kind = named.get(b"content-type", b"").decode("latin-1").lower()
    if not head.has_body or kind.startswith(_NEVER):
        return None
    if {b"content-encoding", b"content-range", b"content-length", b"etag"} & named.keys():
        return None
    if b"no-transform" in named.get(b"cache-control", b""):
        return None
    own = [(b"content-encoding", coding.encode()), (b"vary", b"accept-encoding")]
    return OutcomeHead(head.status, [*head.headers, *own])


class _PackedFile:
    """The compressed pieces of a file, which it closes."""

    def __init__(self, fd: int, packer: Any) -> None:
        self._fd = fd
        self._packer = packer
        self._at = 0
        self._ended = False

    def __aiter__(self) -> _PackedFile:
        return self

    async def __anext__(self) -> bytes:
        piece = b""
        while not piece:
            if self._ended:
                raise StopAsyncIteration
            piece = await asyncio.to_thread(self._next)
        return piece

    def _next(self) -> bytes:
        data = os.pread(self._fd, FILE_CHUNK, self._at)
        self._at += len(data)
        self._ended = not data
        found: bytes = self._packer.compress(data) if data else self._packer.flush()
        return found

    def __del__(self) -> None:
        os.close(self._fd)

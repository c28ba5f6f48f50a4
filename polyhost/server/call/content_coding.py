"""Bodies that come compressed: what they unpack to, piece by piece and away from the event loop."""

from __future__ import annotations

import asyncio
import gzip
import io
import os
import zlib
from typing import Any, BinaryIO, Callable, Dict, Tuple, Type

from polyhost.errors import InvalidInput, UnsupportedCoding
from polyhost.host.spool import Budget
from polyhost.server.call.body_reader import Body, Intake, discard

PIECE = 1 << 20
"""Bytes that are unpacked at once."""
AT_ONCE = 16 << 10
"""Packed bytes of a body whose first piece is unpacked on the event loop."""
WINDOW = 8 << 20
"""The largest window of zstd that a sender may ask for (RFC 9659)."""


def _open_zstd(source: BinaryIO) -> BinaryIO:
    import zstandard

    reader: BinaryIO = zstandard.ZstdDecompressor(max_window_size=WINDOW).stream_reader(
        source, read_across_frames=True
    )
    return reader


def _open_gzip(source: BinaryIO) -> BinaryIO:
    return gzip.GzipFile(fileobj=source, mode="rb")  # type: ignore[return-value]


def _open_deflate(source: BinaryIO) -> BinaryIO:
    return io.BufferedReader(_Inflated(source), PIECE)


class _Inflated(io.RawIOBase):
    """What a body in ``deflate`` unpacks to: zlib's format, or the bare one that some send."""

    def __init__(self, source: BinaryIO) -> None:
        super().__init__()
        first, second = (source.read(2) + b"\0\0")[:2]
        source.seek(0)
        bare = first & 15 != zlib.DEFLATED or (first << 8 | second) % 31
        self._unpacker = zlib.decompressobj(-zlib.MAX_WBITS if bare else zlib.MAX_WBITS)
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        unpacker, size = self._unpacker, len(buffer)
        while not unpacker.eof:
            packed = unpacker.unconsumed_tail or self._source.read(AT_ONCE)
            data = unpacker.decompress(packed, size)
            if data:
                buffer[: len(data)] = data
                return len(data)
            if not packed:
                raise EOFError("it ends before its own end")
        if unpacker.unused_data or self._source.read(1):
            raise OSError("something stands behind its end")
        return 0


_OPEN: Dict[str, Callable[[BinaryIO], BinaryIO]] = {
    "gzip": _open_gzip,
    "x-gzip": _open_gzip,
    "deflate": _open_deflate,
    "zstd": _open_zstd,
}
ACCEPTED = b"gzip, deflate, zstd"
"""What is answered to a coding that is not supported."""


def coding_of(value: bytes) -> str:
    """The coding that a Content-Encoding names, empty for none; UnsupportedCoding for others."""
    coding = value.decode("latin-1").strip().lower()
    if coding in ("", "identity"):
        return ""
    if coding not in _OPEN:
        raise UnsupportedCoding(
            f"content coding {coding!r} is not supported: expected gzip, deflate or zstd, one of them once",
            found=coding,
        )
    return coding


async def unpacked(body: Body, coding: str, intake: Intake, budget: Budget) -> Body:
    """The body that a compressed one holds; the compressed one is let go of.

    ``intake`` takes the pieces: its limit is that of the unpacked body.
    """
    small = isinstance(body, bytes) and len(body) <= AT_ONCE
    source: BinaryIO
    source = io.BytesIO(body) if isinstance(body, bytes) else os.fdopen(os.dup(body.fd), "rb")
    try:
        source.seek(0)
        reader = _OPEN[coding](source)
        while True:
            piece = await _piece(reader, small)
            if not piece:
                return intake.body()
            small = False
            intake.add(piece)
    except BaseException:
        intake.drop()
        raise
    finally:
        source.close()
        discard(body, budget)


async def _piece(reader: BinaryIO, at_once: bool) -> bytes:
    try:
        return reader.read(PIECE) if at_once else await asyncio.to_thread(reader.read, PIECE)
    except _damage() as error:
        raise InvalidInput(
            f"the body cannot be unpacked: {error}. Send it whole, in the coding that its "
            "Content-Encoding names."
        ) from None


def _damage() -> Tuple[Type[BaseException], ...]:
    import zstandard

    return (OSError, EOFError, zlib.error, zstandard.ZstdError)

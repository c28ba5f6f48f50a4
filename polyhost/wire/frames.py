"""The wire format between host and worker; ``docs/worker-protocol.md`` is its specification.

A frame is a 20-byte header, little-endian, then ``meta`` (JSON text, may be empty) and ``body``
(bytes, untouched)::

    u32 meta length | u32 body length | u64 request id | u8 kind | u8 flags | u16 zero

Two stream sockets join a host and a worker: *data* carries requests and replies, *control* the
rest. A frame with the FD flag has an empty body: its body is the whole of the file whose
descriptor came with the frame's first byte.
"""

from __future__ import annotations

import enum
import json
import os
import struct
from typing import Any, Deque, Dict, List, Mapping, NamedTuple, Optional, Sequence

PROTOCOL_VERSION = 1
"""Raised when a worker of the last version could not speak to this host, or the reverse."""

HEADER = struct.Struct("<IIQBBH")
MAX_META = 1 << 20
MAX_BODY = 4 << 20
"""Longest meta and body of one frame, in bytes; longer bodies are chunked or sent as a file."""

MAX_LONG_META = 256 << 20
"""Longest meta of INIT and READY, which may come in pieces: a spec may have very many labels."""

SPOOL_THRESHOLD = 1 << 20
"""Bodies above this many bytes cross as a descriptor."""

STREAM_WINDOW = 256 << 10
"""Bytes of a streamed reply that may be on their way before the host grants more."""

CHUNK = 64 << 10


class FrameKind(enum.IntEnum):
    """What a frame is. Data: REQUEST to CREDIT. Control: INIT and up."""

    REQUEST = 1
    REPLY = 2
    ERROR = 3
    CANCEL = 4
    CREDIT = 5
    BEGIN = 6
    INIT = 16
    READY = 17
    PING = 18
    PONG = 19
    STOP = 20
    INTERRUPT = 21
    LOG = 22
    METRIC = 23
    REPORT = 24
    STACKS = 25
    ATTACH = 26


class FrameFlag(enum.IntFlag):
    """MORE: further frames of this id follow. FD: the body is a file. SOLO: never batch this."""

    MORE = 1
    FD = 2
    SOLO = 4


class ProtocolError(Exception):
    """The peer sent something that is not a frame."""


class Frame(NamedTuple):
    """One frame; ``fd`` is open, and its taker's to close."""

    kind: int
    flags: int
    id: int
    meta: bytes
    body: bytes
    fd: Optional[int] = None

    def json(self) -> Dict[str, Any]:
        """The meta as a JSON object; ProtocolError when it is not one."""
        try:
            value = json.loads(self.meta or b"{}")
        except ValueError as error:
            raise ProtocolError(f"the meta of a {self.kind} frame is not JSON: {error}") from None
        if not isinstance(value, dict):
            raise ProtocolError(f"the meta of a {self.kind} frame is not a JSON object")
        return value


def encode(kind: int, id: int, meta: bytes = b"", body: bytes = b"", flags: int = 0) -> bytes:
    """A frame's bytes. Lengths over the limits are the caller's mistake: ValueError."""
    if len(meta) > MAX_META or len(body) > MAX_BODY:
        raise ValueError(f"frame too large: meta {len(meta)}, body {len(body)} bytes")
    return HEADER.pack(len(meta), len(body), id, kind, flags, 0) + meta + body


def dumps(value: Mapping[str, Any]) -> bytes:
    """A meta's JSON, compact."""
    return json.dumps(value, separators=(",", ":")).encode()


def encode_long(kind: int, meta: bytes) -> bytes:
    """INIT or READY: one frame where its meta fits, else frames whose bodies are the meta's pieces."""
    if len(meta) <= MAX_META:
        return encode(kind, 0, meta)
    pieces = [meta[start : start + MAX_BODY] for start in range(0, len(meta), MAX_BODY)]
    last = len(pieces) - 1
    return b"".join(
        encode(kind, 0, b"", piece, FrameFlag.MORE if number < last else 0)
        for number, piece in enumerate(pieces)
    )


class LongMetas:
    """Puts INIT and READY frames together that came in pieces."""

    def __init__(self) -> None:
        self._pieces: List[bytes] = []
        self._size = 0

    def add(self, frame: Frame) -> Optional[Frame]:
        """The frame with its whole meta; None while more of it is to come."""
        more = frame.flags & FrameFlag.MORE
        if frame.kind not in (FrameKind.INIT, FrameKind.READY) or not (frame.body or more):
            return frame
        self._pieces.append(frame.body)
        self._size += len(frame.body)
        if self._size > MAX_LONG_META:
            raise ProtocolError(f"a meta of more than {MAX_LONG_META} bytes")
        if more:
            return None
        whole = frame._replace(meta=b"".join(self._pieces), body=b"")
        self._pieces, self._size = [], 0
        return whole


class Parser:
    """Cuts a byte stream into frames. Descriptors are handed out in the order they came."""

    def __init__(self) -> None:
        self._rest = b""
        self._fds: Deque[int] = Deque()

    def feed(self, data: bytes, fds: Sequence[int] = ()) -> List[Frame]:
        """Frames completed by these bytes. ProtocolError on lengths over the limits, or an FD
        frame without its descriptor."""
        self._fds.extend(fds)
        if self._rest:
            data = self._rest + data
        frames: List[Frame] = []
        position, size = 0, len(data)
        unpack, header = HEADER.unpack_from, HEADER.size
        while size - position >= header:
            meta_size, body_size, id, kind, flags, zero = unpack(data, position)
            if meta_size > MAX_META or body_size > MAX_BODY or zero:
                self._rest = data[position:]  # what follows is not to be trusted either
                raise ProtocolError(
                    f"not a frame: meta {meta_size} and body {body_size} bytes, reserved {zero}"
                )
            start = position + header
            middle = start + meta_size
            end = middle + body_size
            if end > size:
                break
            fd = None
            if flags & 2:
                if not self._fds:
                    raise ProtocolError("a frame says that a descriptor comes with it; none did")
                fd = self._fds.popleft()
            frames.append(Frame(kind, flags, id, data[start:middle], data[middle:end], fd))
            position = end
        self._rest = data[position:] if position else data
        return frames

    def close(self) -> None:
        """Close descriptors that no frame took."""
        while self._fds:
            os.close(self._fds.popleft())


def credit(id: int, size: int) -> bytes:
    """A CREDIT frame: the host may be sent ``size`` more bytes of this streamed reply."""
    return encode(FrameKind.CREDIT, id, body=struct.pack("<Q", size))


def credit_size(frame: Frame) -> int:
    """Bytes that a CREDIT frame grants."""
    if len(frame.body) != 8:
        raise ProtocolError(f"a CREDIT frame of {len(frame.body)} bytes: expected 8")
    return int(struct.unpack("<Q", frame.body)[0])

"""File descriptors that cross a local socket, together with bytes."""

from __future__ import annotations

import socket
import struct
from typing import List, Sequence, Tuple

MOST = 8
"""Descriptors that one read of a socket may bring."""

_CLOEXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
_ANCILLARY = socket.CMSG_SPACE(MOST * 4)


def send(sock: socket.socket, data: bytes, fds: Sequence[int]) -> int:
    """Send bytes with descriptors, which go with the first byte; how many of the bytes went."""
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack(f"{len(fds)}i", *fds))
    return sock.sendmsg([data], [rights])


def receive(sock: socket.socket, size: int, flags: int = 0) -> Tuple[bytes, List[int]]:
    """Bytes and descriptors of one read; empty bytes mean that the peer has closed.

    The descriptors are the caller's to close; no program that this process starts inherits them.
    """
    data, ancillary, _, _ = sock.recvmsg(size, _ANCILLARY, flags | _CLOEXEC)
    if not ancillary:
        return data, []
    fds: List[int] = []
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.extend(struct.unpack(f"{len(content) // 4}i", content[: len(content) // 4 * 4]))
    return data, fds

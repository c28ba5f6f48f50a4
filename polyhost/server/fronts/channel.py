"""Between supervisor and fronts: one JSON message a packet, with a descriptor where it needs one."""

from __future__ import annotations

import array
import json
import os
import socket
from typing import Any, Dict, Optional, Tuple

MOST = 1 << 20

Message = Dict[str, Any]


class Channel:
    """One end of a sequenced-packet socket. Both ends belong to the same polyhost."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.setblocking(False)
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            sock.setsockopt(socket.SOL_SOCKET, option, 4 << 20)

    @classmethod
    def pair(cls) -> Tuple[Channel, Channel]:
        """Two ends."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return cls(ours), cls(theirs)

    def send(self, message: Message, fd: Optional[int] = None) -> bool:
        """Send a message; False when the other end is gone."""
        data = json.dumps(message, separators=(",", ":")).encode()
        try:
            if fd is None:
                self.sock.send(data)
            else:
                socket.send_fds(self.sock, [data], [fd])
        except OSError:
            return False
        return True

    def receive(self) -> Tuple[Optional[Message], Optional[int]]:
        """The next message and its descriptor; None at the other end's end.

        BlockingIOError when there is none now.
        """
        space = socket.CMSG_SPACE(array.array("i", [0]).itemsize)
        try:
            data, ancillary, _, _ = self.sock.recvmsg(MOST, space)
        except ConnectionError:
            return None, None
        fds = array.array("i")
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
        fd = fds[0] if fds else None
        if fd is not None:
            os.set_inheritable(fd, False)
        return (json.loads(data) if data else None), fd

    def close(self) -> None:
        self.sock.close()

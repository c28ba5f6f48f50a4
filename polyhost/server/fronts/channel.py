"""Between supervisor and fronts: a stream of JSON messages, with a descriptor where one is needed.

Every message arrives, in order, whatever its size: what a full socket does not take waits in a
queue. A message crosses as frames of the worker protocol's format, which carry nothing else here.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
from typing import Any, Callable, Dict, List, Mapping, Optional

from polyhost.host.sender import Sender
from polyhost.wire import descriptors, frames
from polyhost.wire.frames import Frame, FrameFlag, Parser, ProtocolError

logger = logging.getLogger(__name__)

READ = 1 << 18
MESSAGE = 64
"""The kind of these frames; none of the worker protocol has this number."""

Message = Dict[str, Any]
OnMessage = Callable[[Message, Optional[int]], None]
"""Called with a message and its descriptor, which the callee closes."""


class Channel:
    """One end. Lives on the event loop's thread; ``on_end`` is called once, at the peer's end."""

    def __init__(
        self, sock: socket.socket, name: str, on_message: OnMessage, on_end: Callable[[], None]
    ) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._name = name
        self._on_message = on_message
        self._on_end = on_end
        self._open = True
        self._parts: List[bytes] = []
        self._fd: Optional[int] = None
        self._parser = Parser()
        self._loop = asyncio.get_running_loop()
        self._sender = Sender(sock, self._loop, name)
        self._loop.add_reader(sock.fileno(), self._on_readable)

    def send(self, message: Mapping[str, Any], fd: Optional[int] = None) -> None:
        """Queue a message; its descriptor may be closed after this call."""
        if not self._open:
            return
        for data in encode(message, with_fd=fd is not None):
            own = None if fd is None else os.dup(fd)
            self._sender.send(data, own, own=True)
            fd = None

    @property
    def waiting(self) -> int:
        """Bytes of messages that the peer has not taken yet."""
        return self._sender.waiting

    def close(self) -> None:
        """Stop reading and writing; ``on_end`` is not called."""
        if not self._open:
            return
        self._open = False
        self._loop.remove_reader(self._sock.fileno())
        self._sender.close()
        self._parser.close()
        self._close_fd()
        self._sock.close()

    def _on_readable(self) -> None:
        try:
            data, fds = descriptors.receive(self._sock, READ)
            found = self._parser.feed(data, fds) if data else []
        except BlockingIOError:
            return
        except (OSError, ProtocolError) as error:
            logger.debug("%s: %s", self._name, error)
            data, found = b"", []
        for frame in found:
            self._on_frame(frame)
            if not self._open:  # a message has closed it
                return
        if not data:
            self.close()
            self._on_end()

    def _on_frame(self, frame: Frame) -> None:
        self._parts.append(frame.body)
        if frame.fd is not None:
            self._close_fd()
            self._fd = frame.fd
        if frame.flags & FrameFlag.MORE:
            return
        body, fd = b"".join(self._parts), self._fd
        self._parts, self._fd = [], None
        try:
            self._on_message(json.loads(body), fd)
        except Exception:  # the next message is as good as it would have been
            logger.exception("%s: a message could not be used", self._name)

    def _close_fd(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def encode(message: Mapping[str, Any], *, with_fd: bool = False) -> List[bytes]:
    """A message as frames; the first carries the descriptor."""
    body = json.dumps(message, separators=(",", ":")).encode()
    step = frames.MAX_BODY
    pieces = [body[start : start + step] for start in range(0, len(body), step)]
    found = []
    for number, piece in enumerate(pieces):
        flags = FrameFlag.MORE if number + 1 < len(pieces) else 0
        if with_fd and number == 0:
            flags |= FrameFlag.FD
        found.append(frames.encode(MESSAGE, 0, body=piece, flags=flags))
    return found

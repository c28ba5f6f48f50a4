"""Writes frames to a stream socket: all of one turn of the event loop in one write."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections import deque
from typing import Deque, List, Optional, Set, Tuple

from polyhost.wire import descriptors

logger = logging.getLogger(__name__)

MOST = 1 << 18
"""Bytes after which further frames go into another write."""


class Sender:
    """The writing half of a socket to a worker or a front. Lives on the event loop's thread."""

    def __init__(self, sock: socket.socket, loop: asyncio.AbstractEventLoop, name: str) -> None:
        self._sock = sock
        self._loop = loop
        self._name = name
        self._out: Deque[Tuple[bytes, Optional[int]]] = deque()
        self._own: Set[int] = set()
        self._flushing = False
        self._writing = False
        self._closed = False

    @property
    def waiting(self) -> int:
        """Bytes that could not be written yet."""
        return sum(len(data) for data, _ in self._out)

    def send(self, data: bytes, fd: Optional[int] = None, *, own: bool = False) -> None:
        """Queue a frame. Its descriptor must stay open until the frame was answered; one of our
        own is closed here when it was sent."""
        if own and fd is not None:
            self._own.add(fd)
        if self._closed:
            self._clear()
            return
        self._out.append((data, fd))
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def close(self) -> None:
        """Write no more."""
        self._closed = True
        self._clear()
        if self._writing:
            self._writing = False
            self._loop.remove_writer(self._sock.fileno())

    def _flush(self) -> None:
        self._flushing = False
        if self._writing or self._closed:
            return
        try:
            while self._out:
                data, fd = self._gather()
                try:
                    if fd is None:
                        sent = self._sock.send(data)
                    else:
                        sent = descriptors.send(self._sock, data, [fd])
                except BlockingIOError:
                    self._out.appendleft((data, fd))
                    raise
                if fd is not None and fd in self._own:
                    self._let_go(fd)
                if sent < len(data):
                    self._out.appendleft((data[sent:], None))
        except BlockingIOError:
            self._writing = True
            self._loop.add_writer(self._sock.fileno(), self._on_writable)
        except OSError as error:
            # The worker has closed its end; its exit is on its way and says why.
            logger.debug("%s: write failed: %s", self._name, error)
            self._clear()

    def _clear(self) -> None:
        self._out.clear()
        for fd in tuple(self._own):
            self._let_go(fd)

    def _let_go(self, fd: int) -> None:
        self._own.discard(fd)
        os.close(fd)

    def _gather(self) -> Tuple[bytes, Optional[int]]:
        """The frame in front with its descriptor, or all up to the next that has one."""
        out = self._out
        data, fd = out.popleft()
        if fd is not None or not out:
            return data, fd
        parts: List[bytes] = [data]
        size = len(data)
        while out and out[0][1] is None and size < MOST:
            parts.append(out.popleft()[0])
            size += len(parts[-1])
        return b"".join(parts), None

    def _on_writable(self) -> None:
        self._loop.remove_writer(self._sock.fileno())
        self._writing = False
        self._flush()

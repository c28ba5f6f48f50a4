"""A front's own data socket to a worker."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any, Callable, List, Mapping, Optional

from polyhost.host.sender import Sender
from polyhost.wire import descriptors, frames
from polyhost.wire.frames import Parser, ProtocolError

logger = logging.getLogger(__name__)

Ask = Callable[[Mapping[str, Any]], None]
"""Sends a message to the supervisor."""

READ = 1 << 18


class FrontLink:
    """The way to a worker. What only its parent can do, the supervisor is asked for.

    ``worker`` is its number at the supervisor, ``pid`` its process.
    """

    def __init__(
        self,
        worker: int,
        pid: int,
        sock: socket.socket,
        descriptors: bool,
        ask: Ask,
        on_frames: Callable[[List[frames.Frame]], None],
    ) -> None:
        self.worker = worker
        self.descriptors = descriptors
        self._pid = pid
        self._sock = sock
        self._ask = ask
        self._on_frames = on_frames
        self._parser = Parser()
        self._loop = asyncio.get_running_loop()
        sock.setblocking(False)
        self._sender = Sender(sock, self._loop, f"worker {pid}")
        self._loop.add_reader(sock.fileno(), self._on_data)

    def send(self, data: bytes, fd: Optional[int] = None) -> None:
        """Queue a frame."""
        self._sender.send(data, fd)

    def _on_data(self) -> None:
        """Read once; nothing more is read after the worker's end, or its first mistake."""
        if not self._read():
            self._loop.remove_reader(self._sock.fileno())

    def _read(self) -> bool:
        """Hand on what one read brings; False when there is nothing more to read now."""
        try:
            data, fds = descriptors.receive(self._sock, READ)
            found = self._parser.feed(data, fds) if data else []
            if found:
                self._on_frames(found)
        except BlockingIOError:
            return True
        except ConnectionError:
            return False
        except (OSError, ProtocolError) as error:
            logger.error("worker %s broke the protocol: %s", self._pid, error)
            self._ask({"what": "kill", "worker": self.worker})
            return False
        return bool(data)

    def interrupt(self, id: int) -> None:
        """Have the supervisor interrupt it."""
        self._ask({"what": "interrupt", "worker": self.worker, "id": id})

    def end_hung(self) -> None:
        """Have the supervisor end it."""
        self._ask({"what": "end_hung", "worker": self.worker})

    def close(self) -> None:
        """Hand on all that the worker, which has ended, still sent; then close."""
        self._loop.remove_reader(self._sock.fileno())
        self._sender.close()
        while self._has_more() and self._read():
            continue
        self._parser.close()
        self._sock.close()

    def _has_more(self) -> bool:
        try:
            return bool(self._sock.recv(1, socket.MSG_PEEK))
        except OSError:
            return False

"""The descriptors that join a host and one of its workers."""

from __future__ import annotations

import os
import socket
from typing import List


class Sockets:
    """The descriptors of one worker: the host's ends and, until it is started, the worker's."""

    def __init__(self) -> None:
        self.data, self.worker_data = socket.socketpair()
        self.control, self.worker_control = socket.socketpair()
        self.stdout, self.worker_stdout = os.pipe()
        self.stderr, self.worker_stderr = os.pipe()
        for fd in (self.stdout, self.stderr):
            os.set_blocking(fd, False)
        self.data.setblocking(False)
        self.control.setblocking(False)

    def for_worker(self) -> List[int]:
        """Data, control, stdout, stderr."""
        return [
            self.worker_data.fileno(),
            self.worker_control.fileno(),
            self.worker_stdout,
            self.worker_stderr,
        ]

    def close_worker_ends(self) -> None:
        self.worker_data.close()
        self.worker_control.close()
        os.close(self.worker_stdout)
        os.close(self.worker_stderr)

    def close(self) -> None:
        self.data.close()
        self.control.close()
        os.close(self.stdout)
        os.close(self.stderr)

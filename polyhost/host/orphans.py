"""What guests started and left running when their worker ended: found, ended and reaped.

A worker adopts what its guest leaves behind, even what entered a session of its own; when the
worker ends, the host inherits it. The host's own children share its process group, workers are
known by their pids; whatever else becomes a child of the host is an orphan.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import time
from typing import Dict, Set

from polyhost.wire import linux

logger = logging.getLogger(__name__)

MARK = "POLYHOST_HOST"
"""Variable that marks a host's workers, and what they start, as its own."""

NEWBORN = 5.0
"""Seconds after which a process that may be a starting worker certainly is not one."""


class Orphans:
    """Finds the orphans of one host, which must be a subreaper. Made before its first worker."""

    def __init__(self) -> None:
        self.mark = secrets.token_hex(8)
        self._others = set(linux.children(os.getpid()))
        self._seen: Dict[int, float] = {}

    def clear(self, workers: Set[int], now: float) -> bool:
        """End and reap every orphan; False while some have not ended. Forgets ended workers."""
        children = set(linux.children(os.getpid()))
        # The kernel may leave living children out of the list while others end.
        workers -= {pid for pid in workers - children if linux.parent(pid) != os.getpid()}
        orphans = {pid for pid in children - workers - self._others if self._is_orphan(pid, now)}
        self._seen = {pid: at for pid, at in self._seen.items() if pid in children}
        alive = [pid for pid in orphans if not _reaped(pid) and self._is_ours(pid)]
        for pid in alive:
            logger.warning("process %s outlived the worker that it belonged to: it is ended", pid)
            try:
                os.kill(pid, signal.SIGKILL)  # not reaped yet: the pid is still its own
            except PermissionError as error:
                logger.error("process %s cannot be ended: %s", pid, error)
                self._others.add(pid)
        return not alive

    def clear_all(self, workers: Set[int], limit: float) -> None:
        """The same until there are none, or ``limit`` (monotonic) has passed."""
        while not self.clear(workers, time.monotonic()) and time.monotonic() < limit:
            time.sleep(0.01)

    def _is_orphan(self, pid: int, now: float) -> bool:
        try:
            group, session = os.getpgid(pid), os.getsid(pid)
        except ProcessLookupError:
            return False
        if group == os.getpgrp():
            return False
        newborn = group == pid and session == os.getsid(0)
        return not newborn or now - self._seen.setdefault(pid, now) > NEWBORN

    def _is_ours(self, pid: int) -> bool:
        """The first process of a container inherits from others too, which are not ours to end."""
        if os.getpid() != 1:
            return True
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                return f"{MARK}={self.mark}".encode() in file.read().split(b"\0")
        except OSError:
            return False


def _reaped(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return True

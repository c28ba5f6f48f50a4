"""The process that forks fronts, made before the supervisor has an event loop.

It forks another front when one dies: at once, or after a pause that grows while fronts die young.
Each front gets a channel to the supervisor and a number; the numbers of dead fronts are used again.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from dataclasses import dataclass
from typing import Callable, Dict, Optional

from polyhost.host.shared_counts import SharedCounts
from polyhost.server.fronts.channel import encode
from polyhost.settings import ServerSettings
from polyhost.wire import descriptors, linux

logger = logging.getLogger(__name__)

Serve = Callable[[ServerSettings, socket.socket, socket.socket, int], int]
"""What a front runs, with the server's socket, its channel's and its number: its exit code."""

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0
"""Seconds between the death of a front and the next in its place."""

YOUNG = 2.0
"""Seconds after which the death of a front is none of its start's."""

SIGNALS = (signal.SIGCHLD, signal.SIGTERM)


@dataclass(frozen=True)
class Forker:
    """The process that forks fronts, and the socket over which it announces them."""

    pid: int
    sock: socket.socket


class Pauses:
    """How long to wait before the next front in one place."""

    def __init__(self) -> None:
        self._pause = FIRST_PAUSE

    def after(self, lived: float) -> float:
        """Seconds to wait after a front that lived so many."""
        if lived > YOUNG:
            self._pause = FIRST_PAUSE
        pause, self._pause = self._pause, min(self._pause * 2, LONGEST_PAUSE)
        return pause


class _Place:
    """One of the fronts that there should be."""

    def __init__(self) -> None:
        self.pid = 0
        self.began = 0.0
        self.due = 0.0
        self.pauses = Pauses()


def fork_fronts(
    settings: ServerSettings, sock: socket.socket, serve: Serve, counts: SharedCounts
) -> Forker:
    """Start the process that forks fronts.

    Must be called while this process has one thread and no event loop.
    """
    ours, theirs = socket.socketpair()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            ours.close()
            linux.die_with_parent()
            if os.getppid() == parent:
                code = _Forking(settings, sock, serve, counts, theirs).run()
        except BaseException:
            logger.exception("the process that starts fronts has failed")
        finally:
            os._exit(code)
    theirs.close()
    return Forker(pid, ours)


class _Forking:
    """Keeps as many fronts as were asked for, until the supervisor says stop (SIGTERM)."""

    def __init__(
        self,
        settings: ServerSettings,
        sock: socket.socket,
        serve: Serve,
        counts: SharedCounts,
        supervisor: socket.socket,
    ) -> None:
        self._settings = settings
        self._sock = sock
        self._serve = serve
        self._counts = counts
        self._supervisor = supervisor
        self._places: Dict[int, _Place] = {n: _Place() for n in range(settings.fronts)}
        self._stopping = False

    def run(self) -> int:
        """Fork, wait, and fork again; 0 when it was stopped and no front is left."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        while True:
            wait = None if self._stopping else self._fork_due()
            if self._stopping and not any(place.pid for place in self._places.values()):
                return 0
            self._wait(wait)
            self._reap()

    def _wait(self, seconds: Optional[float]) -> None:
        if seconds is None:
            found = signal.sigwait(SIGNALS)
        else:
            info = signal.sigtimedwait(SIGNALS, seconds)
            found = info.si_signo if info is not None else 0
        self._stopping = self._stopping or found == signal.SIGTERM

    def _fork_due(self) -> Optional[float]:
        """Fork what is missing and due; seconds until the next is, None when none is missing."""
        now = time.monotonic()
        for number, place in self._places.items():
            if not place.pid and place.due <= now:
                place.began = now
                place.pid = self._fork(number)
        dues = [place.due - now for place in self._places.values() if not place.pid]
        return max(0.0, min(dues)) if dues else None

    def _fork(self, number: int) -> int:
        ours, theirs = socket.socketpair()
        forker = os.getpid()
        pid = os.fork()
        if pid:
            theirs.close()
            (data,) = encode({"front": pid, "number": number}, with_fd=True)
            descriptors.send(self._supervisor, data, [ours.fileno()])
            ours.close()
            return pid
        code = 1
        try:
            ours.close()
            self._supervisor.close()
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            linux.die_with_parent()
            if os.getppid() == forker:
                code = self._serve(self._settings, self._sock, theirs, number)
        except BaseException:
            logger.exception("front %s has failed", os.getpid())
        finally:
            os._exit(code)

    def _reap(self) -> None:
        for number, place in self._places.items():
            if not place.pid:
                continue
            pid, status = os.waitpid(place.pid, os.WNOHANG)
            if pid:
                place.pid = 0
                self._counts.clear(number)
                now = time.monotonic()
                pause = place.pauses.after(now - place.began)
                place.due = now + pause
                if not self._stopping:
                    code = os.waitstatus_to_exitcode(status)
                    logger.error("front %s has ended: %s; another starts in %g s", pid, code, pause)

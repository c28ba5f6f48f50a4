"""What a command costs: seconds, processor time and peak memory of all its processes."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from polyhost.wire import linux

LOOK = 0.1
"""Seconds between two looks at the memory."""


@dataclass(frozen=True)
class Cost:
    """``memory`` is the largest sum of the processes' PSS, in bytes."""

    seconds: float
    cpu: float
    memory: int


def run(command: Sequence[str | Path], folder: Path, environment: dict[str, str]) -> Cost:
    """Run a command to its end; RuntimeError with its last lines when it fails."""
    log = folder / "log"
    began = time.monotonic()
    with open(log, "wb") as out:
        process = subprocess.Popen(
            list(map(str, command)),
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    peak = _Peak(process.pid)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    peak.ended.set()
    peak.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        lines = log.read_text(errors="replace").splitlines()[-8:]
        raise RuntimeError(f"{command[0]} ended with {process.returncode}: " + "\n".join(lines))
    return Cost(seconds, usage.ru_utime + usage.ru_stime, peak.most)


class _Peak(threading.Thread):
    """Looks at the memory of a process and its descendants until it ends."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self.most = 0
        self.ended = threading.Event()
        self.start()

    def run(self) -> None:
        while not self.ended.wait(LOOK):
            self.most = max(self.most, sum(map(linux.memory_pss, linux.family(self._pid))))

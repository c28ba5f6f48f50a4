"""What ``/stats/`` reports: processes, memory, and the time that predictions took."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import Any, Dict, Iterable, List, Optional

import psutil

MIB = 1024.0 * 1024.0
_CGROUP = (
    # (limit, used, highest) of cgroup v2, then v1
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.peak"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
        "/sys/fs/cgroup/memory/memory.max_usage_in_bytes",
    ),
)


class Timings:
    """Seconds per prediction since the last look; a look resets them (DRUM's contract)."""

    def __init__(self) -> None:
        self._seconds: List[float] = []

    def add(self, since: float) -> None:
        self._seconds.append(time.monotonic() - since)

    def take(self) -> Dict[str, Optional[float]]:
        """min, avg, max and total in seconds, rounded to 3 places; nulls when nothing ran."""
        seconds, self._seconds = self._seconds, []
        if not seconds:
            return {"min": None, "avg": None, "max": None, "total": None}
        total = math.fsum(seconds)
        return {
            "min": round(min(seconds), 3),
            "avg": round(total / len(seconds), 3),
            "max": round(max(seconds), 3),
            "total": round(total, 3),
        }


def report(pids: Iterable[int], timings: Timings) -> Dict[str, Any]:
    """The body of ``/stats/`` for the host and these worker processes. Memory in MiB."""
    processes = [info for info in map(_process, (os.getpid(), *pids)) if info is not None]
    memory = psutil.virtual_memory()
    return {
        "drum_info": processes,
        "mem_info": {
            "total": memory.total / MIB,
            "avail": memory.available / MIB,
            "free": memory.free / MIB,
            "drum_rss": sum(info["mem"] for info in processes),
            **_container_memory(),
        },
        "time_info": {"run_predictor_total": timings.take()},
    }


def _process(pid: int) -> Optional[Dict[str, Any]]:
    try:
        process = psutil.Process(pid)
        return {
            "pid": pid,
            "cmdline": process.cmdline(),
            "mem": process.memory_info().rss / MIB,
            "cpu_percent": process.cpu_percent(),
        }
    except psutil.Error:
        return None


def _container_memory() -> Dict[str, Optional[float]]:
    """Limit and use of the container's memory; nulls outside a container."""
    values: List[Optional[float]] = [None, None, None]
    if Path("/.dockerenv").exists() or "KUBERNETES_SERVICE_HOST" in os.environ:
        for names in _CGROUP:
            if Path(names[0]).exists():
                values = [_mib(name) for name in names]
                break
    keys = ("container_limit", "container_used", "container_max_used")
    return dict(zip(keys, values))


def _mib(name: str) -> Optional[float]:
    try:
        return int(Path(name).read_text()) / MIB
    except (OSError, ValueError):  # "max": no limit; or a kernel that does not say
        return None

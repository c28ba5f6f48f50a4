"""Control groups of Linux: a wall around one worker, where this process may build one.

Version 2 needs a group that was handed over to us (systemd's ``Delegate=yes``, or a container that
may write to /sys/fs/cgroup); version 1 needs root. Elsewhere there is none, and nothing is tried
twice.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional

from polyhost.wire import linux

logger = logging.getLogger(__name__)

ROOT, OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
PERIOD = 100_000
"""Microseconds over which processor time is shared out."""


@dataclass(frozen=True)
class Place:
    """Where groups with a controller may be made."""

    version: int
    path: Path


def find_places(root: Path = ROOT, own: Path = OWN) -> Dict[str, Place]:
    """By controller (``memory``, ``cpu``), where we may make groups; often nowhere."""
    groups = _own_groups(own)
    places: Dict[str, Place] = {}
    if (root / "cgroup.controllers").exists():
        path = root / groups.get("", "/").lstrip("/")
        for controller in _hand_down(path):
            places[controller] = Place(2, path)
    for controller in ("memory", "cpu"):
        mount = root / controller
        if controller not in places and mount.is_dir():
            inside = mount / groups.get(controller, "/").lstrip("/")
            path = inside if inside.is_dir() else mount
            if os.access(path, os.W_OK):
                places[controller] = Place(1, path)
    return places


def _own_groups(own: Path) -> Dict[str, str]:
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return {}
    return {
        controller: line.split(":", 2)[2]
        for line in lines
        for controller in line.split(":", 2)[1].split(",")
    }


def _hand_down(path: Path) -> List[str]:
    """Have the groups below ours get its controllers; which they then have."""
    try:
        ours = (path / "cgroup.controllers").read_text().split()
        wanted: List[str] = [name for name in ("memory", "cpu") if name in ours]
        if wanted and not os.access(path / "cgroup.subtree_control", os.W_OK):
            return []
        try:
            _write(path / "cgroup.subtree_control", " ".join(f"+{name}" for name in wanted))
        except OSError as error:
            if error.errno != errno.EBUSY or not _step_down(path):
                raise
            _write(path / "cgroup.subtree_control", " ".join(f"+{name}" for name in wanted))
    except OSError as error:
        logger.debug("no control groups below %s: %s", path, error)
        return []
    return wanted


def _step_down(path: Path) -> bool:
    """Move into a group below: one that has others below it may hold no process itself.

    Only if all who are in it are ours.
    """
    inside = [int(word) for word in (path / "cgroup.procs").read_text().split()]
    ours = {os.getpid(), *linux.children(os.getpid())}
    if not ours.issuperset(inside):
        return False
    leaf = path / f"polyhost-{os.getpid()}-host"
    leaf.mkdir()
    for pid in inside:
        _write(leaf / "cgroup.procs", str(pid))
    return True


def _write(path: Path, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


class Group:
    """One worker's group in each place: made with its limits, entered, closed."""

    def __init__(
        self, places: Dict[str, Place], name: str, memory: Optional[int], cpus: Optional[float]
    ) -> None:
        self.memory = self.cpus = False
        self._paths: List[Path] = []
        if memory is not None and "memory" in places:
            self.memory = self._make(places["memory"], name, _memory_files(places, memory))
        if cpus is not None and "cpu" in places:
            self.cpus = self._make(places["cpu"], name, _cpu_files(places, cpus))

    def _make(self, place: Place, name: str, files: Dict[str, str]) -> bool:
        path = place.path / name
        try:
            path.mkdir(exist_ok=True)
            for file, text in files.items():
                if not file.startswith("?"):
                    _write(path / file, text)
                elif (path / file[1:]).exists():
                    _write(path / file[1:], text)
        except OSError as error:
            logger.debug("no control group %s: %s", path, error)
            return False
        if path not in self._paths:
            self._paths.append(path)
        return True

    def enter(self, pid: int) -> None:
        """Put a process in; its children will start there."""
        for path in self._paths:
            _write(path / "cgroup.procs", str(pid))

    @property
    def out_of_memory(self) -> bool:
        """The kernel has ended a process in it for its memory."""
        for path in self._paths:
            for file in ("memory.events", "memory.oom_control"):
                with contextlib.suppress(OSError):
                    lines = (path / file).read_text().splitlines()
                    if any(line.startswith("oom_kill ") and line[9:] != "0" for line in lines):
                        return True
        return False

    def close(self) -> bool:
        """End whoever is left in it, and take it away; False when they have not ended yet."""
        for path in tuple(self._paths):
            try:
                for word in (path / "cgroup.procs").read_text().split():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(word), signal.SIGKILL)
                path.rmdir()
            except FileNotFoundError:
                logger.debug("the control group %s is gone already", path)
            except OSError:
                continue
            self._paths.remove(path)
        return not self._paths


def _memory_files(places: Dict[str, Place], memory: int) -> Dict[str, str]:
    """``?``: written where there is such a file. Without swap, so that the limit is one."""
    if places["memory"].version == 2:
        return {"memory.max": str(memory), "?memory.swap.max": "0"}
    return {"memory.limit_in_bytes": str(memory), "?memory.memsw.limit_in_bytes": str(memory)}


def _cpu_files(places: Dict[str, Place], cpus: float) -> Dict[str, str]:
    quota = max(1000, round(cpus * PERIOD))
    if places["cpu"].version == 2:
        return {"cpu.max": f"{quota} {PERIOD}"}
    return {"cpu.cfs_period_us": str(PERIOD), "cpu.cfs_quota_us": str(quota)}


def clear_abandoned(places: Dict[str, Place]) -> None:
    """Take away empty groups of hosts that were killed."""
    for path in {place.path for place in places.values()}:
        for group in path.glob("polyhost-*-*"):
            pid = group.name.split("-")[1]
            if pid.isdigit() and not os.path.exists(f"/proc/{pid}"):
                with contextlib.suppress(OSError):
                    group.rmdir()

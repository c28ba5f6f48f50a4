"""The few process calls of Linux that Python lacks. Elsewhere each does nothing and says so."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import List, Tuple

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38


def _prctl(option: int, value: int) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.prctl(option, value, 0, 0, 0) == 0)


def die_with_parent() -> bool:
    """Have the kernel kill this process when the thread that started it ends."""
    return _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def become_subreaper() -> bool:
    """Adopt what descendants leave behind, so that it can be found and reaped."""
    return _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def forbid_new_privileges() -> bool:
    """Let no program that this process starts have more rights than it has (sudo, su)."""
    return _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def own_files_again() -> bool:
    """Give a process that changed its user its own files in /proc back (/dev/stdout is one)."""
    return _prctl(_PR_SET_DUMPABLE, 1)


def thread_count(pid: int = 0) -> int:
    """Threads of a process (0: this one), as the kernel sees them; 1 where it is not known."""
    try:
        return len(os.listdir(f"/proc/{pid or 'self'}/task"))
    except OSError:
        return 1


def children(pid: int) -> List[int]:
    """Pids of a process's children, of all its threads."""
    found: List[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as file:
                found.extend(int(word) for word in file.read().split())
    except OSError:
        return found
    return found


def parent(pid: int) -> int:
    """Pid of a process's parent; 0 when there is no such process, or it is not known."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return 0


def family(pid: int) -> List[int]:
    """A process and all its descendants."""
    found = [pid]
    for member in found:
        found.extend(children(member))
    return found


def memory_resident(pid: int) -> int:
    """Resident memory of a process in bytes, shared pages in full: quick to read, never less
    than its PSS. 0 when it is not known."""
    try:
        with open(f"/proc/{pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def memory_pss(pid: int) -> int:
    """Proportional set size of a process in bytes; 0 when it is not known."""
    return _rollup(pid, ("Pss:",))


def _rollup(pid: int, keys: Tuple[str, ...]) -> int:
    total = 0
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            for line in file:
                if line.startswith(keys):
                    total += int(line.split()[1]) * 1024
    except OSError:
        return 0
    return total

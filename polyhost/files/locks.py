"""Locks on files, which end with the process that holds them, however it ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Iterator, Optional


class HeldLock:
    """A lock on a file, held until :meth:`release` or the end of the process."""

    def __init__(self, fd: int) -> None:
        self._fd: Optional[int] = fd

    def fileno(self) -> int:
        """The descriptor; a process that inherits it holds the lock too, until it ends."""
        if self._fd is None:
            raise ValueError("the lock was released")
        return self._fd

    def release(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def take(path: Path, *, shared: bool = False, wait: bool = True) -> Optional[HeldLock]:
    """Lock a file, created when it is missing; None when another holds it and ``wait`` is False."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    how = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)
    try:
        fcntl.flock(fd, how)
    except BlockingIOError:
        os.close(fd)
        return None
    except BaseException:
        os.close(fd)
        raise
    return HeldLock(fd)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock for a block of code; waits for it."""
    held = take(path)
    assert held is not None
    try:
        yield
    finally:
        held.release()

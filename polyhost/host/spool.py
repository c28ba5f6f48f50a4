"""Bodies that wait for their answer: small ones in memory, large ones in a file of their own."""

from __future__ import annotations

import errno
import os
import tempfile
from typing import Optional, Union

from polyhost.errors import NoRoom, PolyhostError, WorkerBusy
from polyhost.host.shared_counts import SharedCount

IN_MEMORY = 32 << 20
"""Spooled bodies up to this size stay in an anonymous memory file; larger ones go to disk."""


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)


def _refusal(error: OSError) -> PolyhostError:
    """Why a body cannot be kept: the disk, which somebody has to see to, or a passing lack."""
    if error.errno in _FULL:
        return NoRoom(
            f"the host cannot keep this body: {error.strerror} (in {tempfile.gettempdir()}). "
            "Free space there, or set TMPDIR to a larger disk."
        )
    return WorkerBusy(f"the host cannot keep this body now: {error.strerror}: try again later")


class Budget:
    """Bytes of bodies that the host may hold at once, over all models.

    ``shared``: the same number of all processes that serve clients; the limit is for their sum.
    """

    def __init__(self, limit: int = 16 << 30, shared: Optional[SharedCount] = None) -> None:
        self.limit = limit
        self.used = 0
        self._shared = shared

    @property
    def total(self) -> int:
        """Bytes that all processes hold."""
        return self.used if self._shared is None else self.used + self._shared.others

    def take(self, size: int) -> None:
        """Add to what is held; WorkerBusy where that would be more than the limit."""
        self._set(self.used + size)
        total = self.total
        if total > self.limit:
            self._set(self.used - size)
            raise WorkerBusy(
                f"the host holds {total - size} bytes of unanswered bodies and may hold "
                f"{self.limit}: try again later",
                retry_after=1,
            )

    def give_back(self, size: int) -> None:
        """Take from what is held."""
        self._set(self.used - size)

    def _set(self, used: int) -> None:
        self.used = used
        if self._shared is not None:
            self._shared.put(used)


class Spool:
    """A body written to an unlinked file while it arrives; it crosses as a descriptor."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._fd: Optional[int] = None
        self._on_disk = False
        self.size = 0
        try:
            self._fd = os.memfd_create("polyhost-body", os.MFD_CLOEXEC)
        except OSError as error:
            raise _refusal(error) from error

    @property
    def fd(self) -> int:
        assert self._fd is not None
        return self._fd

    def write(self, data: Union[bytes, bytearray]) -> None:
        """Add a piece; WorkerBusy or NoRoom when it cannot be kept. Then close it."""
        self._budget.take(len(data))
        self.size += len(data)
        try:
            self._write(data)
        except OSError as error:
            raise _refusal(error) from error

    def _write(self, data: Union[bytes, bytearray]) -> None:
        if self.size > IN_MEMORY and not self._on_disk:
            self._move_to_disk()
        view = memoryview(data)
        while len(view):
            view = view[os.write(self.fd, view) :]

    def _move_to_disk(self) -> None:
        fd = os.open(tempfile.gettempdir(), os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
        offset, size = 0, os.fstat(self.fd).st_size
        try:
            while offset < size:
                offset += os.sendfile(fd, self.fd, offset, size - offset)
        except OSError:
            os.close(fd)
            raise
        os.close(self.fd)
        self._fd, self._on_disk = fd, True

    def read(self) -> bytes:
        """The whole body, for a worker that takes no descriptors."""
        return os.pread(self.fd, self.size, 0)

    def close(self) -> None:
        """Let go of the body; again does nothing."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
            self._budget.give_back(self.size)

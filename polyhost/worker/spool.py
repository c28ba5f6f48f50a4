"""Bodies that wait for their answer: small ones in memory, large ones in a file of their own."""

from __future__ import annotations

import os
import tempfile
from typing import Optional, Union

from polyhost.errors import WorkerBusy

IN_MEMORY = 32 << 20
"""Spooled bodies up to this size stay in an anonymous memory file; larger ones go to disk."""


class Budget:
    """Bytes of bodies that the host may hold at once, over all models."""

    def __init__(self, limit: int = 16 << 30) -> None:
        self.limit = limit
        self.used = 0

    def take(self, size: int) -> None:
        if self.used + size > self.limit:
            raise WorkerBusy(
                f"the host holds {self.used} bytes of unanswered bodies and may hold "
                f"{self.limit}: try again later"
            )
        self.used += size

    def give_back(self, size: int) -> None:
        self.used -= size


class Spool:
    """A body written to an unlinked file while it arrives; it crosses as a descriptor."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._fd: Optional[int] = os.memfd_create("polyhost-body", os.MFD_CLOEXEC)
        self._on_disk = False
        self.size = 0

    @property
    def fd(self) -> int:
        assert self._fd is not None
        return self._fd

    def write(self, data: Union[bytes, bytearray]) -> None:
        self._budget.take(len(data))
        self.size += len(data)
        if self.size > IN_MEMORY and not self._on_disk:
            self._move_to_disk()
        view = memoryview(data)
        while len(view):
            view = view[os.write(self.fd, view) :]

    def _move_to_disk(self) -> None:
        fd = os.open(tempfile.gettempdir(), os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
        offset, size = 0, os.fstat(self.fd).st_size
        while offset < size:
            offset += os.sendfile(fd, self.fd, offset, size - offset)
        os.close(self.fd)
        self._fd, self._on_disk = fd, True

    def read(self) -> bytes:
        """The whole body, for a worker that takes no descriptors."""
        return os.pread(self.fd, self.size, 0)

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
            self._budget.give_back(self.size)

"""A file object over a body that is not copied: the body may be a spooled file of gigabytes."""

from __future__ import annotations

import io
from typing import Any, BinaryIO

from polyhost.data.payload import Buffer


def reader(body: Buffer) -> BinaryIO:
    """A binary file that reads the body from its start."""
    if isinstance(body, bytes):
        return io.BytesIO(body)  # shares the bytes
    return io.BufferedReader(_View(memoryview(body)))


class _View(io.RawIOBase):
    """Reads from a memory view."""

    def __init__(self, view: memoryview) -> None:
        super().__init__()
        self._view = view
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: len(self._view)}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        chunk = self._view[self._at : self._at + len(buffer)]
        buffer[: len(chunk)] = chunk
        self._at += len(chunk)
        return len(chunk)

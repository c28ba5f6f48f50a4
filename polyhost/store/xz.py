"""Reading of .xz files whose dictionaries are bounded: a header of a few bytes may ask for 4 GiB."""

from __future__ import annotations

import io
import lzma
from pathlib import Path
from typing import Any

MOST_MEMORY = 128 << 20
"""Bytes that unpacking may take; what ``xz -9`` writes needs half of it."""
_BLOCK = 1 << 16


class XzReader(io.RawIOBase):
    """The unpacked bytes of a file. Seeking back starts again from its beginning.

    lzma.LZMAError for damaged data, and for a dictionary that is too large.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = open(path, "rb")  # noqa: SIM115
        self._start()

    def _start(self) -> None:
        self._file.seek(0)
        self._place = 0
        self._begin(b"")

    def _begin(self, rest: bytes) -> None:
        self._unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MOST_MEMORY)
        self._rest = rest

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: Any, /) -> int:
        data = self._next(len(buffer))
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)

    def _next(self, most: int) -> bytes:
        while most:
            if self._unpacker.eof:  # another stream may follow, and zeros before it
                rest = self._unpacker.unused_data.lstrip(b"\0")
                while not rest:
                    block = self._file.read(_BLOCK)
                    if not block:
                        return b""
                    rest = block.lstrip(b"\0")
                self._begin(rest)
            given = self._rest
            if not given and self._unpacker.needs_input:
                given = self._file.read(_BLOCK)
                if not given:
                    raise EOFError("the compressed data ends before its end is marked")
            self._rest = b""
            data = self._unpacker.decompress(given, most)
            if data:
                return data
        return b""

    def seek(self, place: int, whence: int = io.SEEK_SET, /) -> int:
        if whence == io.SEEK_CUR:
            place += self._place
        elif whence != io.SEEK_SET:
            raise io.UnsupportedOperation("the end of a compressed file is not known")
        if place < self._place:
            self._start()
        while self._place < place:
            data = self._next(min(place - self._place, _BLOCK))
            if not data:
                break
            self._place += len(data)
        return self._place

    def close(self) -> None:
        self._file.close()
        super().close()


def open_xz(path: Path) -> io.BufferedReader:
    """A buffered reader of what an .xz file unpacks to."""
    return io.BufferedReader(XzReader(path))


def check_properties(properties: bytes) -> None:
    """lzma.LZMAError where the properties of an LZMA stream ask for too large a dictionary."""
    if int.from_bytes(properties[1:5], "little") > MOST_MEMORY:
        raise lzma.LZMAError(f"it needs a dictionary of more than {MOST_MEMORY} bytes")

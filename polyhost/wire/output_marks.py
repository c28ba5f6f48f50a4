"""Which request a guest's output belongs to: marks that the worker writes among that output.

A pipe and a socket have no common order, so the mark goes where the output goes: before and after
a request that runs alone, into both standard output and standard error. The host cuts the marks
out. A token of the host's choice keeps them from being anything a guest prints. Only a host whose
log names requests asks for them.
"""

from __future__ import annotations

import os
import secrets
import sys
from typing import Dict, Iterator, Tuple

START, END = b"\x1epolyhost:", b"\x1e"
LONGEST = 80
"""No mark is longer than this many bytes."""


def new_token() -> str:
    """A token for one worker."""
    return secrets.token_hex(8)


class Marker:
    """The worker's half. Made before guest code runs, so that it may do to 1 and 2 what it likes."""

    def __init__(self, token: str) -> None:
        self._start = START + token.encode("ascii") + b":"
        self._fds = (os.dup(1), os.dup(2))

    def running(self, id: int) -> None:
        """What is printed from now on belongs to this request; 0: to none, or to several."""
        mark = self._start + str(id).encode("ascii") + END
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (AttributeError, OSError, ValueError):
                continue  # the guest has closed or replaced it
        for fd in self._fds:
            os.write(fd, mark)


class MarkReader:
    """The host's half: cuts the marks out of what a worker prints."""

    def __init__(self, token: str) -> None:
        self._start = START + token.encode("ascii") + b":"
        self._rest: Dict[str, bytes] = {}
        self._id: Dict[str, int] = {}
        self._within_line: Dict[str, bool] = {}

    def split(self, stream: str, data: bytes) -> Iterator[Tuple[int, bytes]]:
        """Pieces of output, each with the id of the request that was marked; 0 is none.

        An empty piece ends a line that a mark cut off.
        """
        data = self._rest.pop(stream, b"") + data
        id = self._id.get(stream, 0)
        while True:
            place = data.find(self._start)
            if place < 0:
                break
            end = data.find(END, place + len(self._start))
            if end < 0 and len(data) - place < LONGEST:
                break
            if place:
                yield id, self._seen(stream, data[:place])
            if end >= 0 and self._within_line.pop(stream, False):
                yield id, b""
            number = data[place + len(self._start) : end] if end >= 0 else b""
            if number.isdigit():
                id = self._id[stream] = int(number)
            data = data[end + len(END) :] if end >= 0 else data[place + len(self._start) :]
        keep = self._unfinished(data)
        if keep:
            self._rest[stream] = data[-keep:]
            data = data[:-keep]
        if data:
            yield id, self._seen(stream, data)

    def _seen(self, stream: str, data: bytes) -> bytes:
        self._within_line[stream] = not data.endswith(b"\n")
        return data

    def _unfinished(self, data: bytes) -> int:
        """Bytes at the end that may be the first part of a mark."""
        place = data.rfind(START[:1], max(0, len(data) - LONGEST))
        if place < 0:
            return 0
        tail = data[place:]
        whole = self._start
        return len(tail) if whole.startswith(tail) or tail.startswith(whole) else 0

    def rest(self, stream: str) -> bytes:
        """What was kept because it looked like the start of a mark, now that nothing follows."""
        return self._rest.pop(stream, b"")

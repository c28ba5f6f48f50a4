"""A body while it arrives: in memory while it is small, then in a file, and always in the budget."""

from __future__ import annotations

from typing import List, Optional, Union

from polyhost.errors import BodyTooLarge
from polyhost.host.spool import Budget, Spool
from polyhost.wire.frames import SPOOL_THRESHOLD

Body = Union[bytes, Spool]


class Intake:
    """Takes a body piece by piece. Whoever gets the body owes its bytes to the budget."""

    def __init__(self, budget: Budget, limit: Optional[int]) -> None:
        self._budget = budget
        self._limit = limit
        self._chunks: List[bytes] = []
        self._spool: Optional[Spool] = None
        self._size = 0

    def add(self, chunk: bytes) -> None:
        """Take a piece; BodyTooLarge, WorkerBusy or NoRoom when there is no place for it."""
        size = self._size + len(chunk)
        check_size(size, self._limit, self._budget)
        if self._spool is None and size > SPOOL_THRESHOLD:
            self._to_spool()
        if self._spool is not None:
            self._spool.write(chunk)
        else:
            self._budget.take(len(chunk))
            self._chunks.append(chunk)
        self._size = size

    def _to_spool(self) -> None:
        spool = self._spool = Spool(self._budget)
        self._budget.give_back(self._size)
        chunks, self._chunks = self._chunks, []
        for chunk in chunks:
            spool.write(chunk)

    def body(self) -> Body:
        """All that came."""
        return self._spool if self._spool is not None else b"".join(self._chunks)

    def drop(self) -> None:
        """Nobody will need it."""
        if self._spool is not None:
            self._spool.close()
        else:
            self._budget.give_back(self._size)


def check_size(size: int, limit: Optional[int], budget: Budget) -> None:
    """BodyTooLarge for a body of so many bytes, known or come so far."""
    most = budget.limit if limit is None else min(limit, budget.limit)
    if size > most:
        raise BodyTooLarge(
            f"the body is too large: expected at most {most} bytes; found {size} or more. Send "
            "less at a time.",
            expected=most,
            found=size,
        )


def discard(body: Body, budget: Budget) -> None:
    """Let go of a body that no model was given."""
    if isinstance(body, Spool):
        body.close()
    else:
        budget.give_back(len(body))


def size_of(body: Body) -> int:
    """Bytes of a body."""
    return body.size if isinstance(body, Spool) else len(body)

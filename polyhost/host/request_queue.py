"""Requests of one model that no worker has yet, up to a limit."""

from __future__ import annotations

from collections import deque
from typing import Deque, Iterable, Optional

from polyhost.errors import WorkerBusy
from polyhost.host.request import Pending
from polyhost.host.shared_counts import SharedCount


class RequestQueue:
    """First in, first out; what was accepted before goes back to the front.

    ``shared``: how many wait in all processes that serve the model; the limit is for their sum.
    """

    def __init__(self, model: str, limit: int, shared: Optional[SharedCount] = None) -> None:
        self._model = model
        self._limit = limit
        self._shared = shared
        self._waiting: Deque[Pending] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def total(self) -> int:
        """Requests that wait in all processes."""
        return len(self._waiting) + (0 if self._shared is None else self._shared.others)

    @property
    def first(self) -> Pending:
        return self._waiting[0]

    def check(self) -> None:
        """WorkerBusy when this process alone has as many waiting as there may be."""
        if len(self._waiting) >= self._limit:
            raise self._full()

    def add(self, pending: Pending) -> None:
        """Have a request wait; WorkerBusy when it would be one too many."""
        self._waiting.append(pending)
        shared = self._shared
        if shared is not None:
            shared.put(len(self._waiting))
        if self.total > self._limit:
            self._waiting.pop()
            self.publish()
            raise self._full()

    def put_back(self, again: Iterable[Pending]) -> None:
        """Put requests that were accepted before all others in front of them, without a limit."""
        self._waiting.extendleft(reversed(tuple(again)))
        self.publish()

    def pop(self) -> Pending:
        """Take the first; :meth:`publish` when no more are taken."""
        return self._waiting.popleft()

    def remove(self, pending: Pending) -> bool:
        """Take this one out; False when it does not wait here."""
        try:
            self._waiting.remove(pending)
        except ValueError:
            return False
        self.publish()
        return True

    def publish(self) -> None:
        """Let other processes know how many wait here."""
        if self._shared is not None:
            self._shared.put(len(self._waiting))

    def _full(self) -> WorkerBusy:
        return WorkerBusy(
            f"the queue of model {self._model!r} is full: {self._limit} requests wait",
            retry_after=1,
        )

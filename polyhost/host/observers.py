"""Who watches a host: the seam between its work and metrics, logs and traces.

The pool reports to a :class:`ModelObserver` what only it knows; everything else is read from the pool
when somebody asks. The front keeps an :class:`RequestRecord` for each request that is observed.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Mapping, Optional, Protocol

from polyhost import logs


class RequestRecord:
    """One client's request while it is answered.

    ``id`` is its X-Request-Id. ``waited`` and ``ran`` are seconds in the queue and in the worker,
    which the pool fills in; a request that was tried twice counts its last try as ``ran``.
    """

    __slots__ = ("id", "model", "status", "waited", "ran")

    def __init__(self, id: str, model: str) -> None:
        self.id = id
        self.model = model
        self.status = 0
        self.waited = 0.0
        self.ran = 0.0


current: ContextVar[Optional[RequestRecord]] = ContextVar("polyhost_exchange", default=None)
"""The exchange that this task works for; None outside of one."""

logs.take_requests_from(current.get)


class ModelObserver(Protocol):
    """What a pool reports about its model, on the event loop's thread. Must be quick; never raises."""

    @property
    def marks_output(self) -> bool:
        """The worker is to mark in its output which request runs (see ``wire/output_marks.py``)."""
        ...

    def served(self, exchange: Optional[RequestRecord], waited: float, ran: float) -> None:
        """A worker is done with a request: seconds it waited for one, seconds it was there."""
        ...

    def counted(self, report: Mapping[str, Any]) -> None:
        """A worker's METRIC frame came: batches by size, and rows, since its last one."""
        ...


class Ignorer:
    """The observer of a host that nobody watches."""

    marks_output = False

    def served(self, exchange: Optional[RequestRecord], waited: float, ran: float) -> None:
        """Nothing."""

    def counted(self, report: Mapping[str, Any]) -> None:
        """Nothing."""


NOBODY: ModelObserver = Ignorer()

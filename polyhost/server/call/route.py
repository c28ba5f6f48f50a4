"""A route of one model: what its dialect says of it, and what all its calls share."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, FrozenSet, List, Optional, Tuple

from polyhost.errors import (
    KeyMissing,
    PolyhostError,
    UnsupportedCoding,
    WorkerError,
    WorkerNotReady,
)
from polyhost.host.spool import Budget
from polyhost.server.call.content_coding import ACCEPTED
from polyhost.server.call.head import Header, RequestHead
from polyhost.server.call.keys import Keys
from polyhost.server.call.outcome import JSON, Outcome, OutcomeHead
from polyhost.server.call.served_model import Served
from polyhost.settings import ServerSettings
from polyhost.wire.replies import BODILESS

if TYPE_CHECKING:
    from polyhost.server.watch.instrument import Instruments, RouteWatch
    from polyhost.server.watch.stats import Timings

logger = logging.getLogger(__name__)

Shape = Callable[[PolyhostError, str], Tuple[int, bytes, List[Header]]]
"""Status, body and headers of an error, for the content type of its request."""
Tail = Callable[[PolyhostError], bytes]
"""What ends a stream that an error broke off, in the stream's own format."""


@dataclass(frozen=True)
class Service:
    """What the routes of all models of a process share.

    ``deployer``: who changes which models there are (:class:`polyhost.deploy.deployer.Deployer`);
    None in a front, and where nothing may be changed.
    """

    settings: ServerSettings
    budget: Budget
    keys: Keys
    watch: Instruments
    deployer: Any = None


class Route:
    """One operation of one model in one protocol. Immutable.

    ``meta``: the worker's meta for a request. ``shape``: how an error looks. ``common``: headers of
    every answer, by the request's id. ``retry``: a request is tried once more when its worker dies.
    ``empty``: the error of a request without a body, or with one that ``is_body`` does not count;
    None where a body is not needed. ``refusal``: the error of every request, once its body is read.
    ``echo``: the headers of every answer to a request that has one of the headers ``echoed``, in
    place of ``common``. ``tail``: the end of a stream that broke off; without it its connection ends.
    """

    def __init__(
        self,
        service: Service,
        model: Served,
        path: str,
        *,
        protocol: str,
        span: str,
        meta: Callable[[RequestHead], bytes],
        shape: Shape,
        common: Callable[[bytes], List[Header]],
        echoed: FrozenSet[bytes] = frozenset(),
        echo: Optional[Callable[[RequestHead], List[Header]]] = None,
        retry: bool = False,
        empty: Optional[PolyhostError] = None,
        is_body: Optional[Callable[[str], bool]] = None,
        refusal: Optional[PolyhostError] = None,
        tail: Optional[Tail] = None,
        timings: Optional[Timings] = None,
    ) -> None:
        self.model = model
        self.name = model.name
        self.budget = service.budget
        self.keys = service.keys
        self.meta = meta
        self.common = common
        self.echoed = echoed
        self._echo = echo
        self.retry = retry
        self.empty = empty
        self.is_body = is_body
        self.refusal = refusal
        self.tail = tail
        self.timings = timings
        self.watch: Optional[RouteWatch] = None
        if protocol:
            self.watch = service.watch.route(protocol, span, path, model.config)
        self._shape = shape
        self._stacktraces = service.settings.show_stacktrace
        max_body = model.config.limits.max_body
        self.limit = max_body
        """Bytes of the largest body that the model takes; None for what the budget allows."""
        self.largest = service.budget.limit if max_body is None else max_body

    def headers_of(self, head: RequestHead) -> List[Header]:
        """The headers that every answer to such a request has."""
        if self._echo is not None and any(head.get(name) for name in self.echoed):
            return self._echo(head)
        return self.common(head.id)

    def failed(self, error: PolyhostError, content_type: str, *, ends: bool = False) -> Outcome:
        """The outcome of an error, once the log has it."""
        if isinstance(error, WorkerError):
            # A model that is not ready has logged why when it stopped being ready.
            level = logging.DEBUG if isinstance(error, WorkerNotReady) else logging.WARNING
            logger.log(level, "model %s: %s", self.name, error)
        elif self._stacktraces and error.facts.get("native_traceback"):
            trace = str(error.facts["native_traceback"]).rstrip()
            logger.error("model %s: %s\n%s", self.name, error, trace)
        status, body, headers = self._shape(error, content_type)
        if status in BODILESS:
            return Outcome(OutcomeHead(status, headers), ends=ends)
        typed = any(name == b"content-type" for name, _ in headers)
        own = [] if typed else [(b"content-type", JSON)]
        if isinstance(error, UnsupportedCoding):
            own.append((b"accept-encoding", ACCEPTED))
        elif isinstance(error, KeyMissing):
            own.append((b"www-authenticate", b"Bearer"))
        return Outcome(OutcomeHead(status, [*own, *headers]), body, ends=ends)

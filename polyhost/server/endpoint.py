"""A route: what answers it, and how it is described in the OpenAPI document."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Awaitable, Callable, Mapping, Tuple

from polyhost.server.exchange import Receive, Scope, Send

Handler = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass(frozen=True)
class Endpoint:
    """One method and path. ``aliases`` answer alike and are left out of the OpenAPI document.

    ``protocol``: the client protocol in which this answers for a model; requests of endpoints that
    have one are counted and traced, ``span`` being what a trace calls them.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    operation: Mapping[str, Any] = field(default_factory=dict)
    aliases: Tuple[str, ...] = ()
    protocol: str = ""
    span: str = ""

    @property
    def paths(self) -> Tuple[str, ...]:
        return (self.path, *self.aliases)

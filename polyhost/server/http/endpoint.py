"""A route: what answers it, and how it is described in the OpenAPI document."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Awaitable, Callable, Dict, Iterable, Mapping, Optional, Tuple

from polyhost.server.http.asgi import Receive, Scope, Send

if TYPE_CHECKING:
    from polyhost.server.http.fast_path import FastRoute

Handler = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass(frozen=True)
class Endpoint:
    """One method and path. ``aliases`` answer alike and are left out of the OpenAPI document.

    ``protocol``: the client protocol in which this answers for a model; requests of endpoints that
    have one are counted and traced, ``span`` being what a trace calls them. ``fast``: answers the
    plain ones of its requests on a shorter way than ``handler``.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    operation: Mapping[str, Any] = field(default_factory=dict)
    aliases: Tuple[str, ...] = ()
    protocol: str = ""
    span: str = ""
    fast: Optional[FastRoute] = None

    @property
    def paths(self) -> Tuple[str, ...]:
        return (self.path, *self.aliases)


def fast_routes(endpoints: Iterable[Endpoint]) -> Dict[bytes, FastRoute]:
    """The routes that have a short way, by their address as a client sends it."""
    return {
        path.encode(): endpoint.fast
        for endpoint in endpoints
        if endpoint.fast is not None
        for path in endpoint.paths
    }

"""A route: what answers it, and how it is described in the OpenAPI document."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Awaitable, Callable, Dict, Iterable, Mapping, Optional, Tuple

from polyhost.server.call.route import Route
from polyhost.server.http.asgi import Receive, Scope, Send
from polyhost.server.http.asgi_call import answer

if TYPE_CHECKING:
    from polyhost.server.http.fast_path import FastRoute

Handler = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass(frozen=True)
class Endpoint:
    """One method and path. ``aliases`` answer alike and are left out of the OpenAPI document.

    ``route``: what the endpoint calls of a model, if it does; such a call checks the key by itself.
    ``model``: the one that it is about; empty where it is about the server.
    ``documented``: it stands in the OpenAPI document, which shows what can be had.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    operation: Mapping[str, Any] = field(default_factory=dict)
    aliases: Tuple[str, ...] = ()
    route: Optional[Route] = None
    model: str = ""
    documented: bool = True

    @property
    def paths(self) -> Tuple[str, ...]:
        return (self.path, *self.aliases)


def calling(
    method: str,
    path: str,
    route: Route,
    summary: str,
    operation: Mapping[str, Any],
    aliases: Tuple[str, ...] = (),
) -> Endpoint:
    """An endpoint that answers with what a model does."""
    return Endpoint(method, path, partial(answer, route), summary, operation, aliases, route)


def fast_routes(endpoints: Iterable[Endpoint]) -> Dict[bytes, FastRoute]:
    """The routes that need no ASGI, by their address as a client sends it."""
    from polyhost.server.http.fast_path import FastRoute

    return {
        path.encode(): FastRoute(endpoint.route, path)
        for endpoint in endpoints
        if endpoint.route is not None and endpoint.method == "POST"
        for path in endpoint.paths
    }

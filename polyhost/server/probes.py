"""Liveness and readiness of the whole server, as those who watch over it ask."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping

from polyhost.errors import NotTrained
from polyhost.host.pool import State
from polyhost.server.auth import KEY
from polyhost.server.call.keys import opens
from polyhost.server.call.served_model import Served, is_up
from polyhost.server.dialects import answers, drum_probes
from polyhost.server.http.asgi import Receive, Scope, Send, respond
from polyhost.server.http.endpoint import Endpoint
from polyhost.settings import ServerSettings


def probes(models: Mapping[str, Served], settings: ServerSettings) -> List[Endpoint]:
    """The probes at the root. A server of one model has its own ``/``, ``/ping`` and ``/health/``.

    ``/livez``: the server answers. ``/readyz`` and ``/healthz``: every model can.
    """
    prefix = settings.url_prefix

    async def alive(scope: Scope, receive: Receive, send: Send) -> None:
        body = answers.dump({"message": "OK"})
        await respond(send, 200, answers.JSON, body, answers.common_headers(scope))

    async def ready(scope: Scope, receive: Receive, send: Send) -> None:
        waiting = [m.name for m in models.values() if not (m.parked or is_up(m))]
        states = {
            model.name: _state(model, waits=model.name in waiting)
            for model in models.values()
            if opens(scope.get(KEY), model.name)
        }
        body: Dict[str, Any] = {"message": "not every model is ready" if waiting else "OK"}
        body["models"] = states
        headers = answers.common_headers(scope)
        if waiting:
            headers.append((b"retry-after", b"1"))
        status = 503 if waiting else 200
        await respond(send, status, answers.JSON, answers.dump(body), headers)

    found = [
        Endpoint("GET", f"{prefix}/livez", alive, "Whether the server answers"),
        Endpoint(
            "GET",
            f"{prefix}/readyz",
            ready,
            "Whether every model can answer",
            _READY,
            aliases=(f"{prefix}/healthz",),
        ),
    ]
    if len(models) != 1:
        health, ping = f"{prefix}/health/", f"{prefix}/ping"
        found += [
            Endpoint("GET", f"{prefix}/", drum_probes.alive, "Whether the server answers"),
            Endpoint("GET", ping, ready, "Readiness", _READY, aliases=(f"{ping}/",)),
            Endpoint("GET", health, ready, "Readiness", _READY, aliases=(f"{prefix}/health",)),
        ]
    return found


def _state(model: Served, *, waits: bool) -> str:
    if waits and model.state in (State.READY, State.DEGRADED):
        return "restarting"
    return "untrained" if isinstance(model.reason, NotTrained) else model.state.value


_READY = {
    "responses": {
        "200": {"description": "every model that is not lazy can answer"},
        "503": {"description": "a model is not ready: `models` has the state of each"},
    }
}

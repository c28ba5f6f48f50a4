"""``polyhost serve --engine ray``: the server's application in replicas of Ray Serve.

One model is one deployment. Several are one deployment each at ``/models/NAME``, scaled by its own
load, and one at the root for the routes that speak of all of them; that one loads a model when a
request at such a route needs it. A replica is a host with its workers, as on one machine.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any

from polyhost import logs
from polyhost.cluster.ray_files import RayShipment, connected, relocated, ship
from polyhost.errors import RuntimeUnavailable, SettingsError
from polyhost.settings import ModelConfig, ServerSettings

logger = logging.getLogger(logs.SERVE)

MOST_ONGOING = 1000
"""Requests that one replica accepts; beyond what its workers take they wait in its own queue."""
STARTS = 3
"""Replicas of a deployment that may fail to start before it has failed."""
CANNOT_ANSWER = "no answer from model"
ROOT = "polyhost"


@dataclass(frozen=True)
class Scaling:
    """How Ray Serve scales each deployment: replicas, requests under way in each, CPUs of each."""

    least: int = 1
    most: int = 1
    target: float = 4.0
    cpus: float = 1.0

    def options(self) -> dict[str, Any]:
        """Options of a deployment."""
        return {
            "autoscaling_config": {
                "min_replicas": self.least,
                "max_replicas": self.most,
                "target_ongoing_requests": self.target,
            },
            "max_ongoing_requests": MOST_ONGOING,
            "max_constructor_retry_count": STARTS,
            "ray_actor_options": {"num_cpus": self.cpus},
        }


class ReplicaApp:
    """The server's application in one replica."""

    def __init__(
        self, settings: ServerSettings, shipments: Mapping[str, RayShipment], prefix: str
    ) -> None:
        self._settings = settings
        self._shipments = shipments
        self._prefix = prefix
        self._app: Any = None
        self._running = AsyncExitStack()

    async def start(self) -> None:
        """Load the models; RuntimeError with the reason when one of them cannot answer."""
        self._app = await asyncio.to_thread(self._make)
        await self._running.enter_async_context(self._app.router.lifespan_context(self._app))
        for model in self._settings.models:
            path = f"{self._settings.url_prefix}/models/{model.name}/health/"
            status, body = (200, "") if model.lazy else await self._ask(path)
            if status != 200:
                await self.stop()
                raise RuntimeError(f"{CANNOT_ANSWER} {model.name!r}: {body}")

    async def stop(self) -> None:
        """End the models, after what they accepted."""
        await self._running.aclose()

    def _make(self) -> Any:
        from polyhost.server.create import create_app

        models = tuple(
            replace(model, spec=relocated(model.spec, self._shipments[model.name].folder()))
            for model in self._settings.models
        )
        return create_app(settings=replace(self._settings, models=models))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        path = scope["path"]
        if not path.startswith(self._prefix):  # Serve took the deployment's own prefix away
            path = self._prefix + path
        await self._app({**scope, "path": path, "root_path": ""}, receive, send)

    async def _ask(self, path: str) -> tuple[int, str]:
        """Status and body of a GET request that the application itself answers."""
        said: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            said.append(message)

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"localhost")],
            "client": ("127.0.0.1", 0),
            "server": ("127.0.0.1", 80),
        }
        await self._app(scope, receive, send)
        body = b"".join(message.get("body", b"") for message in said[1:])
        return said[0]["status"], body.decode().strip()


_here: list[ReplicaApp] = []
"""The application of this replica, which has a process of its own."""


class Ingress:
    """What Ray Serve takes for the replica's application: it copies this before it starts one."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Hand a request to the application; end it with the lifespan."""
        if scope["type"] == "http":
            await _here[0](scope, receive, send)
            return
        if scope["type"] != "lifespan":
            return
        while True:
            event = (await receive())["type"]
            if event == "lifespan.shutdown" and _here:
                await _here[0].stop()
            await send({"type": f"{event}.complete"})
            if event == "lifespan.shutdown":
                return


class Replica:
    """The class of the deployments: a replica is up when its models are."""

    async def __init__(  # type: ignore[misc]
        self, settings: ServerSettings, shipments: Mapping[str, RayShipment], prefix: str
    ) -> None:
        app = ReplicaApp(settings, shipments, prefix)
        await app.start()
        _here[:] = [app]


def applications(settings: ServerSettings) -> dict[str, tuple[str, ServerSettings]]:
    """Name, route prefix and settings of each application of Ray Serve."""
    prefix = settings.url_prefix
    if len(settings.models) == 1:
        return {ROOT: (prefix, settings)}
    found = {
        f"{ROOT}-{model.name}": (f"{prefix}/models/{model.name}", _only(settings, model))
        for model in settings.models
    }
    lazy = tuple(replace(model, lazy=True) for model in settings.models)
    return {ROOT: (prefix, replace(settings, models=lazy)), **found}


def _only(settings: ServerSettings, model: ModelConfig) -> ServerSettings:
    return replace(settings, models=(model,))


def serve(settings: ServerSettings, address: str | None, scaling: Scaling) -> int:
    """Serve on a Ray cluster until SIGINT or SIGTERM; 0."""
    refuse(settings)
    with connected(address):
        stop = _stop_asked_for()  # Ray sets handlers of its own when it connects
        names = deploy(settings, scaling)
        logger.info("listens on port %d of each node: %s", settings.port, ", ".join(sorted(names)))
        stop.wait()
        remove(names)
    return 0


def _stop_asked_for() -> threading.Event:
    """What SIGINT and SIGTERM set from now on."""
    asked = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked.set())
    return asked


def refuse(settings: ServerSettings) -> None:
    """SettingsError for settings that one process has, and a cluster does not."""
    for name, found, instead in (
        ("fronts", settings.fronts > 1, "Ray Serve has a proxy on each node"),
        ("admin", settings.admin.enabled, "start the command again with other models"),
        ("tls", settings.tls is not None, "end TLS in front of Ray Serve"),
        ("port 0", settings.port == 0, "all nodes listen at one port"),
        ("store.desired", settings.desired is not None, "the command says what is served"),
    ):
        if found:
            raise SettingsError(
                f"--engine ray does not work with {name}: {instead}. Leave it out.", setting=name
            )


def deploy(settings: ServerSettings, scaling: Scaling) -> tuple[str, ...]:
    """Deploy all models to the cluster that this process is connected to; names of applications.

    Returns when every one of them can answer; SettingsError when one cannot be started.
    """
    from ray import serve as ray_serve

    shipments = {model.name: ship(model.spec.code_dir) for model in settings.models}
    _start_proxies({"host": settings.address_host, "port": settings.port})
    wanted = applications(settings)
    for name, (prefix, own) in wanted.items():
        held = {model.name: shipments[model.name] for model in own.models}
        bound = _deployment(name, scaling).bind(own, held, prefix)
        try:
            ray_serve.run(bound, name=name, route_prefix=prefix or "/")
        except RuntimeError as error:
            reason = _reason(name) or str(error)
            remove(tuple(wanted))
            raise SettingsError(f"Ray Serve could not start {name}: {reason}") from error
    return tuple(wanted)


def _start_proxies(http: Mapping[str, Any]) -> None:
    """Start Ray Serve; again where a proxy was not ready in time, which Serve then ends."""
    from ray import serve as ray_serve
    from ray.exceptions import RayError

    for tries_left in reversed(range(STARTS)):
        try:
            ray_serve.start(http_options=dict(http), proxy_location="EveryNode")
            return
        except (RayError, TimeoutError) as error:
            if not tries_left:
                raise RuntimeUnavailable(f"Ray Serve could not start: {error}") from error


def _reason(name: str) -> str:
    """Why an application could not be started, as its replica said."""
    from ray import serve as ray_serve

    found = ray_serve.status().applications.get(name)
    said = [one.message for one in found.deployments.values()] if found else []
    lines = [line.strip() for text in said for line in text.splitlines()]
    ours = [line[line.index(CANNOT_ANSWER) :] for line in lines if CANNOT_ANSWER in line]
    return next(iter(ours or lines[-1:]), "")


def _deployment(name: str, scaling: Scaling) -> Any:
    from ray import serve as ray_serve

    made = ray_serve.deployment(ray_serve.ingress(Ingress())(Replica))
    return made.options(name=name, **scaling.options())


def remove(names: tuple[str, ...]) -> None:
    """Take applications away again; their replicas finish what they accepted."""
    from ray import serve as ray_serve

    known = ray_serve.status().applications
    for name in names:
        if name in known:
            ray_serve.delete(name)


def shut_down_if_unused() -> None:
    """End Ray Serve where nobody else has an application in it."""
    from ray import serve as ray_serve

    if not ray_serve.status().applications:
        ray_serve.shutdown()

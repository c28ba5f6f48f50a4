"""DRUM's routes that describe a model: whether it can answer, what it is, what it takes."""

from __future__ import annotations

from typing import Any, Dict, List

from polyhost import __version__
from polyhost.data.target import TargetType
from polyhost.drum_compat import DRUM_VERSION
from polyhost.server.call.served_model import Served, can_answer, is_up
from polyhost.server.dialects.answers import JSON, common_headers, dump
from polyhost.server.http.asgi import Receive, Scope, Send, respond
from polyhost.server.http.endpoint import Endpoint
from polyhost.server.watch.stats import Timings, report
from polyhost.settings import ServerSettings


class Probes:
    """The operational routes of one model. ``timings``: what ``/stats/`` reports of predictions."""

    def __init__(self, model: Served, timings: Timings, settings: ServerSettings) -> None:
        self._model = model
        self._timings = timings
        self._drum = settings.drum

    def endpoints(self, prefix: str) -> List[Endpoint]:
        """The routes, under a prefix without a slash at its end."""
        ping, health = f"{prefix}/ping", f"{prefix}/health/"
        own_ping = self._ping if self._drum else self._health  # SageMaker: 200 means it can answer
        return [
            Endpoint("GET", f"{prefix}/", self._ping if self._drum else alive, "Liveness"),
            Endpoint("GET", ping, own_ping, "Whether it answers", aliases=(f"{ping}/",)),
            Endpoint("GET", health, self._health, "Readiness", aliases=(health[:-1],)),
            Endpoint("GET", f"{prefix}/info/", self._info, "What the model is"),
            Endpoint("GET", f"{prefix}/stats/", self._stats, "Processes, memory and times"),
            Endpoint(
                "GET", f"{prefix}/capabilities/", self._capabilities, "What the model accepts"
            ),
        ]

    async def _ping(self, scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, 200, JSON, dump({"message": "OK"}), common_headers(scope))

    async def _health(self, scope: Scope, receive: Receive, send: Send) -> None:
        """200 says that a request would be answered; a lazy model is loaded for it."""
        model = self._model
        if is_up(model) and (not self._drum or can_answer(model)):
            await self._ping(scope, receive, send)
            return
        reason = (
            model.reason.message if model.reason is not None else f"model is {model.state.value}"
        )
        headers = [*common_headers(scope), (b"retry-after", b"1")]
        await respond(send, 503, JSON, dump({"message": f"ERROR: {reason}"}), headers)

    async def _info(self, scope: Scope, receive: Receive, send: Send) -> None:
        spec, info = self._model.config.spec, self._model.info
        body: Dict[str, Any] = {
            "codeDir": str(spec.code_dir) if self._drum else spec.code_dir.name,
            "targetType": spec.target.type.value,
            "language": spec.language,
            "drumVersion": DRUM_VERSION,
            "drumServer": "flask",  # DRUM says so whatever its server is
            "polyhostVersion": __version__,
            "payloadFormats": self._formats(),
            "modelMetadata": spec.options.get("metadata"),
            "predictor": None if info is None else info.guest.framework,
        }
        if not self._drum:
            body.update(self._model.config.annotations)
        if spec.target.type is TargetType.BINARY:
            body["positiveClassLabel"] = spec.target.positive
            body["negativeClassLabel"] = spec.target.negative
        elif spec.target.class_labels is not None:
            body["classLabels"] = list(spec.target.class_labels)
        await respond(send, 200, JSON, dump(body), common_headers(scope))

    async def _stats(self, scope: Scope, receive: Receive, send: Send) -> None:
        pids = [worker.pid for worker in self._model.workers]
        await respond(send, 200, JSON, dump(report(pids, self._timings)), common_headers(scope))

    async def _capabilities(self, scope: Scope, receive: Receive, send: Send) -> None:
        info = self._model.info
        # Arrow is taken, but not listed here: clients of today's DRUM compare the whole answer.
        listed = [name for name in self._formats() if name not in ("arrow", "parquet")]
        body = {
            "supported_methods": {"chat": info is not None and "chat" in info.hooks},
            "supported_payload_formats": dict.fromkeys(listed),
        }
        await respond(send, 200, JSON, dump(body), common_headers(scope))

    def _formats(self) -> List[str]:
        info = self._model.info
        return list(dict.fromkeys(("csv", *(info.formats if info is not None else ()))))


async def alive(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer that the server is there, as KServe's client reads it too."""
    body = dump({"message": "OK", "status": "alive"})
    await respond(send, 200, JSON, body, common_headers(scope))

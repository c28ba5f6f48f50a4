"""The admin API: look at models, load, replace, scale and unload them. Off unless enabled."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from typing import Any, Awaitable, Callable, Dict, List, Optional, Tuple

from polyhost.deploy.deployer import Deployer
from polyhost.errors import CodeDirError, PolyhostError, SettingsError
from polyhost.host.host import Host
from polyhost.host.spool import Budget
from polyhost.server.admin_body import Load, parse, replicas_in
from polyhost.server.auth import KEY
from polyhost.server.call.status import status_of
from polyhost.server.http.asgi import ClientGone, Receive, Scope, Send, read_body, respond
from polyhost.settings import MODEL_NAME, ApiKey

logger = logging.getLogger(__name__)

JSON = b"application/json"
Reply = Tuple[int, Dict[str, Any]]
Body = Dict[str, Any]


class AdminApi:
    """Handles every path below ``PREFIX/admin/``."""

    def __init__(self, host: Host, deployment: Deployer, prefix: str) -> None:
        self._host = host
        self._deployment = deployment
        self.path = f"{prefix}/admin/"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await read_body(receive, Budget(1 << 20))
            status, answer = await self._answer(scope, body)
        except ClientGone:
            return
        except PolyhostError as error:
            status, answer = _refusal(error)
        except Exception:
            logger.exception("the admin API failed at %s %s", scope["method"], scope["path"])
            status, answer = 500, {"error": "polyhost itself failed; its log says where"}
        data = json.dumps(answer, separators=(",", ":")).encode() + b"\n"
        await respond(send, status, JSON, data, [])

    async def _answer(self, scope: Scope, body: Any) -> Reply:
        words = scope["path"][len(self.path) :].strip("/").split("/")
        method = scope["method"]
        if words == ["reload"] and method == "POST":
            return 200, asdict(await self._deployment.reload())
        if words == ["models"] and method == "GET":
            return 200, {"models": self._list(scope.get(KEY))}
        if words[0] == "models" and 2 <= len(words) <= 3:
            handler = self._handler(method, words[2:])
            if handler is not None:
                return await self._of_model(words[1], handler, parse(body))
        return 404, {"error": f"no {method} {scope['path']} in the admin API"}

    def _list(self, key: Optional[ApiKey]) -> List[Dict[str, Any]]:
        """Every model that a key opens, those of the desired state that are not there included."""
        found = [model.describe() for model in self._host.models.values()]
        missing = set(self._deployment.failed) - set(self._host.models)
        found += [_failed(name, self._deployment.failed[name]) for name in sorted(missing)]
        opens = key.models if key is not None else ()
        return [model for model in found if not opens or model["name"] in opens]

    def _handler(self, method: str, rest: Any) -> Optional[Callable[[str, Body], Awaitable[Reply]]]:
        return {
            ("GET", ()): self._show,
            ("PUT", ()): self._load,
            ("DELETE", ()): self._unload,
            ("POST", ("scale",)): self._scale,
        }.get((method, tuple(rest)))

    async def _of_model(
        self, name: str, handler: Callable[[str, Body], Awaitable[Reply]], body: Body
    ) -> Reply:
        if not MODEL_NAME.fullmatch(name):
            raise SettingsError(f"wrong model name {name!r}: expected letters, digits, '_-.'.")
        try:
            return await handler(name, body)
        except KeyError:
            if handler == self._load or name in self._host.models:
                raise  # a defect, not a name
            known = ", ".join(sorted(self._host.models)) or "none"
            return 404, {"error": f"no model {name!r} here: expected one of {known}"}

    async def _show(self, name: str, body: Body) -> Reply:
        reason = self._deployment.failed.get(name)
        if reason is not None and name not in self._host.models:
            return 200, _failed(name, reason)
        return 200, self._host.models[name].describe()

    async def _load(self, name: str, body: Body) -> Reply:
        load = Load.of(body)
        model = await self._deployment.deploy(
            name, load.source, load.settings, load.replicas, load.version
        )
        return 200, model.describe()

    async def _unload(self, name: str, body: Body) -> Reply:
        return 200, {"name": name, "state": await self._deployment.remove(name)}

    async def _scale(self, name: str, body: Body) -> Reply:
        model = await self._deployment.scale(name, replicas_in(body))
        return 200, model.describe()


def _failed(name: str, reason: str) -> Dict[str, Any]:
    """As a model describes itself, for one that is not there at all."""
    unknown = dict.fromkeys(("version", "language", "target_type", "code_dir"))
    numbers = dict.fromkeys(("replicas", "ready", "restarts"), 0)
    return {"name": name, "state": "failed", "reason": reason, **unknown, **numbers, "pids": []}


def _refusal(error: PolyhostError) -> Reply:
    status = status_of(error)
    if isinstance(error, (SettingsError, CodeDirError)) or status == 422:
        status = 400
    return status, {"error": error.message, "kind": error.kind}

"""V2's model repository: which models there are, and, where allowed, loading and unloading them."""

from __future__ import annotations

import json
from typing import Any, Awaitable, Callable, Dict, List, Mapping

from polyhost.errors import CodeDirError, InvalidInput, PolyhostError, SettingsError
from polyhost.host.pool import State
from polyhost.host.spool import Budget, Spool
from polyhost.server.auth import KEY
from polyhost.server.call.body_reader import Body, discard
from polyhost.server.call.keys import opens
from polyhost.server.call.route import Service
from polyhost.server.call.served_model import Served, can_answer
from polyhost.server.call.status import status_of
from polyhost.server.dialects.answers import JSON, id_header, text_error
from polyhost.server.http.asgi import ClientGone, Receive, Scope, Send, read_body, refuse, respond
from polyhost.server.http.request_id import request_id
from polyhost.wire.frames import dumps

PATH = "/v2/repository/models/"
LARGEST = 1 << 20
"""Bytes of the largest body: a name, and a few parameters."""
OFF = (
    "loading and unloading models over HTTP is off: set admin.enabled in the configuration, or "
    "change the models there"
)
Act = Callable[[str], Awaitable[Any]]


def entries(models: Mapping[str, Served], key: Any, *, only_ready: bool) -> List[Dict[str, str]]:
    """The models that a key opens; those that are not loaded are listed too."""
    found = [entry(model) for name, model in models.items() if opens(key, name)]
    return [each for each in found if each["state"] == "READY" or not only_ready]


def entry(model: Served) -> Dict[str, str]:
    """Name, version and state of one model."""
    state = "READY" if can_answer(model) else "UNAVAILABLE"
    if state != "READY" and model.state is State.LOADING:
        state = "LOADING"
    reason = ""
    if state == "UNAVAILABLE":
        reason = model.state.value if model.reason is None else model.reason.message
    return {"name": model.name, "version": model.config.version, "state": state, "reason": reason}


async def list_repository(
    models: Mapping[str, Served], service: Service, scope: Scope, receive: Receive, send: Send
) -> None:
    """Answer with the list; the body may be empty, or an object with ``ready``."""
    common = id_header(request_id(scope))
    try:
        wanted = await _object(receive, service.budget)
    except ClientGone:
        return
    except PolyhostError as error:
        await _refuse(error, receive, send, common)
        return
    found = entries(models, scope.get(KEY), only_ready=wanted.get("ready") is True)
    await respond(send, 200, JSON, json.dumps(found).encode(), common)


async def _object(receive: Receive, budget: Budget) -> Dict[str, Any]:
    body: Body = await read_body(receive, budget, LARGEST)
    try:
        data = body.read() if isinstance(body, Spool) else body
        found = json.loads(data) if data.strip() else {}
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"the body is not valid JSON: {error}.") from error
    finally:
        discard(body, budget)
    if not isinstance(found, dict):
        raise InvalidInput("the body must be empty or a JSON object.")
    return found


async def _refuse(error: PolyhostError, receive: Receive, send: Send, common: List[Any]) -> None:
    status = status_of(error)
    if isinstance(error, (SettingsError, CodeDirError)) or status == 422:
        status = 400
    if status == 413:
        await refuse(receive, send, status, text_error(error.message), common)
    else:
        await respond(send, status, JSON, text_error(error.message), common)


class Repository:
    """Loads and unloads models: answers every path below ``PATH``.

    ``load`` and ``unload`` take a name; KeyError for an unknown one. Both return when it is done.
    """

    def __init__(self, load: Act, unload: Act, prefix: str, budget: Budget) -> None:
        self._acts: Dict[str, Act] = {"load": load, "unload": unload}
        self._budget = budget
        self.path = f"{prefix}{PATH}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        common = id_header(request_id(scope))
        words = scope["path"][len(self.path) :].split("/")
        act = self._acts.get(words[-1]) if len(words) == 2 else None
        if act is None:
            text = f"no {scope['path']} here: expected {self.path}NAME/load or /unload"
            await refuse(receive, send, 404, text_error(text), common)
        elif scope["method"] != "POST":
            allow = (b"allow", b"POST")
            await refuse(receive, send, 405, text_error("expected POST"), [allow, *common])
        else:
            await self._act(words[0], words[-1], act, receive, send, common)

    async def _act(
        self, name: str, word: str, act: Act, receive: Receive, send: Send, common: List[Any]
    ) -> None:
        try:
            body = await _object(receive, self._budget)
            check_parameters(body.get("parameters") or {})
            await act(name)
        except ClientGone:
            return
        except KeyError:
            await respond(send, 404, JSON, text_error(f"no model {name!r} here"), common)
        except PolyhostError as error:
            await _refuse(error, receive, send, common)
        else:
            await respond(send, 200, JSON, dumps({"name": name, word: True}), common)


def check_parameters(parameters: Mapping[str, Any]) -> None:
    """SettingsError for what a client asks for and does not get."""
    refused = [key for key in parameters if key == "config" or key.startswith("file:")]
    if refused:
        raise SettingsError(
            f"parameters: {', '.join(refused)} cannot be set here: expected none. PUT "
            "/admin/models/NAME deploys a model with settings of its own."
        )


async def switched_off(scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse to load and unload."""
    await refuse(receive, send, 501, text_error(OFF), id_header(request_id(scope)))

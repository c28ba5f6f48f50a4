"""Who may ask: API keys by role and by model.

Three layers, none of which is there when no key is set. Calls of models check their key themselves
(``call/keys.py``). A *gate* before everything else serves no request without a key, but for the
probes at the root. A *guard* of each model's other routes, and one of the admin API, look at what
that key opens.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from dataclasses import replace
from typing import Any, Callable, List, Mapping, Optional

from polyhost.errors import KeyMissing, SettingsError
from polyhost.server.call.keys import HEADERS, Keys, opens
from polyhost.server.http import tls
from polyhost.server.http.asgi import Message, Receive, Scope, Send, refuse
from polyhost.server.http.endpoint import Endpoint, Handler
from polyhost.server.http.heads import is_loopback
from polyhost.server.http.request_id import request_id
from polyhost.server.http.status_lines import message
from polyhost.settings import ApiKey, ServerSettings

logger = logging.getLogger(__name__)

Refusal = Callable[[str], bytes]
REFUSAL = "polyhost.refusal"
"""Where the scope of a request holds how its protocol writes a refusal."""
KEY = "polyhost.key"
"""Where the scope of a request holds the key that was shown."""
PROBES = ("/", "/ping", "/ping/", "/health", "/health/", "/livez", "/readyz", "/healthz")
V2_PROBES = ("/v2/health/live", "/v2/health/ready")
"""Open to all as well; they reveal nothing of the models."""
"""Open to all, below the prefix: whoever watches over the server has no key."""
NEW_KEY = 32
"""Bytes of chance in a key made here."""


def new_key() -> str:
    """A key nobody can guess; text that is safe in a header, an address and a shell."""
    return "ph_" + secrets.token_urlsafe(NEW_KEY)


def digest_of(key: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(key.encode("utf-8")).hexdigest()


class Gate:
    """The application, for those who show a key."""

    def __init__(
        self, app: Any, keys: Keys, prefix: str, refusals: Optional[Mapping[str, Refusal]] = None
    ) -> None:
        self._app = app
        self._keys = keys
        self._refusals = refusals or {}
        self._probes = {prefix + path for path in PROBES}
        self._bare_probes = {prefix + path for path in V2_PROBES}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        key = scope[KEY] = self._keys.find(scope["headers"])
        for beginning, refusal in self._refusals.items():
            if scope["path"] == beginning or scope["path"].startswith(f"{beginning}/"):
                scope[REFUSAL] = refusal
        probes = scope["method"] in ("GET", "HEAD")
        if key is not None or (probes and scope["path"] in self._bare_probes):
            await self._app(scope, receive, send)
        elif probes and scope["path"] in self._probes:
            await self._app(scope, receive, _without_details(send))
        else:
            await _deny(scope, receive, send, 401, _no_key(self._keys))


def _no_key(keys: Keys) -> str:
    try:
        keys.check("", ())
    except KeyMissing as error:
        return error.message
    raise AssertionError("a gate stands only where keys are asked for")


def gated(app: Any, keys: Keys, prefix: str) -> Any:
    """The application behind a gate; itself when no key is asked for."""
    return Gate(app, keys, prefix) if keys.asked_for else app


def _without_details(send: Send) -> Send:
    """Send a probe the status, and nothing of the models."""
    body = b""

    async def send_status(found: Message) -> None:
        nonlocal body
        if found["type"] == "http.response.start":
            good = found["status"] < 400
            body = b'{"message":"OK"}\n' if good else message("not ready")
            own = [h for h in found["headers"] if h[0] != b"content-length"]
            headers = [*own, (b"content-length", str(len(body)).encode())]
            await send({**found, "headers": headers})
        elif not found.get("more_body", False):
            await send({"type": "http.response.body", "body": body})

    return send_status


async def _deny(scope: Scope, receive: Receive, send: Send, status: int, text: str) -> None:
    headers = [(b"x-request-id", request_id(scope))]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    refusal: Refusal = scope.get(REFUSAL, message)
    await refuse(receive, send, status, refusal(text), headers)


def guarded(endpoints: List[Endpoint], settings: ServerSettings, model: str = "") -> List[Endpoint]:
    """The endpoints, for keys that open this model; without a model, for those that open all."""
    if not settings.keys:
        return endpoints
    return [e if e.route else replace(e, handler=_guard(e.handler, model)) for e in endpoints]


def _guard(handler: Handler, model: str) -> Handler:
    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        key: Optional[ApiKey] = scope.get(KEY)
        if key is None:  # the gate let it in: a probe
            await handler(scope, receive, send)
        elif not opens(key, model):
            what = f"model {model!r}" if model else "this address"
            await _deny(scope, receive, send, 403, f"key {key.name!r} does not open {what}")
        else:
            # Code that sees headers is not to see the key.
            scope["headers"] = [h for h in scope["headers"] if h[0] not in HEADERS]
            await handler(scope, receive, send)

    return handle


def admin_only(handler: Handler, settings: ServerSettings, path: str) -> Handler:
    """What answers below ``path``, for keys of the role ``admin``.

    Without any key it is for programs of this machine, and no page in a browser may use it.
    """

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        refusal = _no_admin(scope, settings, path)
        if refusal:
            await _deny(scope, receive, send, 403, refusal)
        else:
            await handler(scope, receive, send)

    return handle


def _no_admin(scope: Scope, settings: ServerSettings, path: str) -> str:
    if not settings.keys:
        foreign = any(name == b"origin" for name, _ in scope["headers"])
        return "the admin API has no key, so browsers may not use it" if foreign else ""
    key: Optional[ApiKey] = scope.get(KEY)
    if key is None or key.role != "admin":
        return "the admin API needs a key of the role 'admin'"
    words = scope["path"][len(path) :].split("/")
    if words == ["models"] and scope["method"] == "GET":
        return ""  # lists what the key opens
    if key.models and not (words[0] == "models" and len(words) > 1 and words[1] in key.models):
        return f"key {key.name!r} opens only {', '.join(key.models)}"
    return ""


def check_exposure(settings: ServerSettings) -> None:
    """Warn of what others could reach or read; SettingsError where they could load models."""
    if settings.tls is not None:
        tls.context(settings.tls)
    warnings = [_exposure(settings), tls.exposed_key(settings.tls) if settings.tls else ""]
    for warning in filter(None, warnings):
        logger.warning("%s", warning)


def _exposure(settings: ServerSettings) -> str:
    if settings.drum or is_loopback(settings.address_host):
        return ""
    admins = [key for key in settings.keys if key.role == "admin"]
    if settings.admin.enabled and not admins:
        raise SettingsError(
            f"the admin API would be open to every machine that reaches {settings.address_host}: "
            "expected a key of the role 'admin'; found none. Make one with `polyhost key new`, or "
            "listen at 127.0.0.1."
        )
    if not settings.keys:
        return (
            f"listening at {settings.address_host} with no API key: every machine that reaches "
            "this address may use every model. Make a key with `polyhost key new`."
        )
    if settings.tls is None:
        return (
            f"listening at {settings.address_host} without TLS: keys and data can be read on the "
            "way. Set tls.certificate and tls.key, or have a proxy before it."
        )
    return ""

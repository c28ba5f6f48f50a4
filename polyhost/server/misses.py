"""Requests that no route answers: what there is instead, and how to ask for it."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Optional, Set

from polyhost.server.auth import KEY
from polyhost.server.call.keys import opens
from polyhost.server.dialects import Refusal, answers
from polyhost.server.http.asgi import Receive, Scope, Send, respond
from polyhost.server.http.endpoint import Endpoint
from polyhost.server.http.status_lines import message
from polyhost.settings import ServerSettings

SHOWN = 20
"""Names of models that an answer lists."""
Routes = Mapping[str, Mapping[str, Endpoint]]


class Misses:
    """Answers 404, 405, OPTIONS, HEAD where there is a GET, and 308 to the path with a slash.

    ``refusals``: how protocols write such an answer, by the beginning of the path.
    """

    def __init__(
        self,
        routes: Callable[[], Routes],
        settings: ServerSettings,
        refusals: Mapping[str, Refusal],
    ) -> None:
        self.models: Mapping[str, Any] = {}
        self._refusals = refusals
        self._routes = routes
        self._prefix = settings.url_prefix
        self._drum = settings.drum

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        methods = self._routes().get(path)
        if methods is not None:
            await self._other_method(scope, receive, send, methods)
        elif not path.endswith("/") and f"{path}/" in self._routes():
            query = scope["query_string"]
            raw = scope.get("raw_path") or path.encode()
            place = raw.split(b"?")[0] + b"/" + (b"?" + query if query else b"")
            await self._answer(send, scope, 308, b"", [(b"location", place)])
        else:
            await self._answer(send, scope, 404, self._body(path, self._missing(scope)), [])

    def _body(self, path: str, text: str) -> bytes:
        for beginning, refusal in self._refusals.items():
            if path == beginning or path.startswith(f"{beginning}/"):
                return refusal(text)
        return message(text)

    async def _answer(
        self, send: Send, scope: Scope, status: int, body: bytes, headers: List[Any]
    ) -> None:
        common = answers.common_headers(scope)
        await respond(send, status, answers.JSON, body, [*headers, *common])

    async def _other_method(
        self, scope: Scope, receive: Receive, send: Send, methods: Mapping[str, Endpoint]
    ) -> None:
        known: Set[str] = {*methods, "OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
        shown = ", ".join(sorted(known))
        allow = [(b"allow", shown.encode())]
        if scope["method"] == "HEAD" and "GET" in methods:
            await methods["GET"].handler(scope, receive, send)
        elif scope["method"] == "OPTIONS":
            await self._answer(send, scope, 200, b"", allow)
        else:
            text = f"{scope['path']} does not answer {scope['method']}: expected {shown}"
            await self._answer(send, scope, 405, self._body(scope["path"], text), allow)

    def _missing(self, scope: Scope) -> str:
        """What is wrong with an address, and what there is."""
        path = scope["path"]
        rest = path[len(self._prefix) :] if path.startswith(self._prefix) else ""
        names = [name for name in self.models if opens(scope.get(KEY), name)]
        if not rest:
            return f"no {path} here: every address begins with {self._prefix}"
        if not self._drum:
            found = self._of_model(rest, names)
            if found:
                return found
        documents = f"{self._prefix}/docs"
        return f"no {path} here: GET {documents} shows every address, and a request to try"

    def _of_model(self, rest: str, names: List[str]) -> str:
        words = rest.strip("/").split("/")
        at = words.index("models") + 1 if "models" in words[:2] else 0
        named = words[at].partition(":")[0] if 0 < at < len(words) else None
        if named is not None and named not in names:
            return f"no model {named!r} here: expected {_listed(names)}"
        if named is not None and words[at + 1 : at + 2] == ["versions"]:
            version = self.models[named].config.version
            asked = "".join(words[at + 2 : at + 3])
            return f"model {named!r} has no version {asked!r} here: expected {version!r}"
        one: Optional[str] = names[0] if len(names) == 1 else None
        known: Dict[str, str] = {path.rstrip("/"): path for path in self._routes()}
        place = f"{self._prefix}/models/{one or 'NAME'}"
        for name in names[:1]:
            own = f"{self._prefix}/models/{name}{rest.rstrip('/')}"
            if own in known:
                suffix = known[own][len(f"{self._prefix}/models/{name}") :]
                return (
                    f"several models are served here, and {rest} names none: ask "
                    f"{place}{suffix}, where NAME is {_listed(names)}"
                )
        return ""


def _listed(names: List[str]) -> str:
    shown = ", ".join(sorted(names)[:SHOWN]) or "none, since no model is served"
    return shown if len(names) <= SHOWN else f"{shown} or one of {len(names) - SHOWN} more"

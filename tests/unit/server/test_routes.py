"""What a protocol's description becomes: routes below a model's place, at the root, and the fast path."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import httpx
import pytest
from support.fake_model import FakeHost, FakeModel

from polyhost.server import dialects
from polyhost.server.app import Application, build
from polyhost.server.auth import digest_of
from polyhost.server.call.keys import Keys
from polyhost.server.call.route import Route, Service
from polyhost.server.dialects.answers import error_body, headers_of_id
from polyhost.server.http.asgi import Receive, Scope, Send, respond
from polyhost.server.http.endpoint import Endpoint, calling
from polyhost.server.watch.instrument import Instruments
from polyhost.settings import ApiKey, ServerSettings


class Sample:
    """A protocol with a route below each model, and one at the root that has the model's name."""

    def __init__(self, model: Any, service: Service) -> None:
        self._model, self._service = model, service

    def _calling(self, path: str) -> Endpoint:
        route = Route(
            self._service,
            self._model,
            path,
            protocol="sample",
            span="sample.predict",
            meta=lambda head: b"{}",
            shape=error_body,
            common=headers_of_id,
        )
        return calling("POST", path, route, "Sample", {})

    def endpoints(self, prefix: str) -> list[Endpoint]:
        return [self._calling(f"{prefix}/sample")]

    def named_endpoints(self, prefix: str) -> list[Endpoint]:
        return [self._calling(f"{prefix}/sample/models/{self._model.name}:call")]


def root(models: Any, service: Service) -> list[Endpoint]:
    async def names(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, 200, b"application/json", json.dumps(sorted(models)).encode(), [])

    return [Endpoint("GET", f"{service.settings.url_prefix}/sample/models", names, "Names")]


def refusal(text: str) -> bytes:
    return json.dumps({"no": text}).encode()


@pytest.fixture(autouse=True)
def sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialects, "DIALECTS", (*dialects.DIALECTS, Sample))
    routes = dialects.RootRoutes(root, {"/sample": refusal})
    monkeypatch.setattr(dialects, "ROOT_ROUTES", (*dialects.ROOT_ROUTES, routes))


def application(*names: str, prefix: str = "") -> Application:
    settings = ServerSettings(url_prefix=prefix)
    host = FakeHost(*map(FakeModel, names))
    return build(cast(Any, host), settings, Instruments(), Keys(()))


def ask(app: Application, method: str, path: str) -> httpx.Response:
    async def request() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, content=b"answer")

    return asyncio.run(request())


@pytest.mark.parametrize("names", [("one",), ("one", "two")])
def test_every_model_has_the_routes_that_hold_its_name(names: tuple[str, ...]) -> None:
    app = application(*names, prefix="/p")
    for name in names:
        path = f"/p/sample/models/{name}:call"
        assert ask(app, "POST", path).json() == {"predictions": [1.0]}
        assert ask(app, "POST", path.replace(":", "%3A")).json() == {"predictions": [1.0]}
    assert app.knows("/p/sample") == (len(names) == 1)
    assert ask(app, "GET", "/p/sample/models").json() == sorted(names)


def test_every_call_of_every_protocol_may_take_the_fast_path() -> None:
    app = application("one", "two")
    calls = [e for e in app.endpoints if e.route is not None and e.method == "POST"]
    paths = {path.encode() for endpoint in calls for path in endpoint.paths}
    assert app.fast.keys() == paths
    assert b"/sample/models/two:call" in paths
    assert {endpoint.model for endpoint in calls} == {"one", "two"}


def test_a_protocol_refuses_what_no_route_answers_in_its_own_words() -> None:
    app = application("one")
    found = ask(app, "POST", "/sample/models/other:call")
    assert found.status_code == 404
    assert found.json() == {"no": "no model 'other' here: expected one"}
    assert ask(app, "POST", "/sample/models").status_code == 405
    assert "no" in ask(app, "POST", "/sample/models").json()
    assert "message" in ask(app, "POST", "/samples").json()


def test_a_request_without_a_key_is_refused_in_the_words_of_its_protocol() -> None:
    settings = ServerSettings(keys=(ApiKey("mine", digest_of("k")),))
    app = build(cast(Any, FakeHost(FakeModel("one"))), settings, Instruments(), Keys(settings.keys))
    found = ask(app, "GET", "/sample/models")
    assert (found.status_code, list(found.json())) == (401, ["no"])
    assert list(ask(app, "GET", "/metrics").json()) == ["message"]
    assert list(ask(app, "GET", "/v2/models").json()) == ["error"]

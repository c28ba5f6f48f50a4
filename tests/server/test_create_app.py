"""The server as a FastAPI application: documented, mounted, extended, tested in process."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.middleware.gzip import GZipMiddleware
from support.fake_model import SPEC, FakeHost, FakeModel

from polyhost.data.column_info import ColumnInfo
from polyhost.errors import LoadError
from polyhost.host.pool import State
from polyhost.predictor import GuestInfo
from polyhost.server import create_app
from polyhost.server.app import Application, build
from polyhost.server.auth import digest_of
from polyhost.server.dialects.samples import sample_rows
from polyhost.server.web import web_application
from polyhost.settings import ApiKey, ServerSettings

Model = Callable[..., Any]
Ask = Callable[[httpx.AsyncClient], Awaitable[Any]]
SETTINGS = ServerSettings()
CSV = {"Content-Type": "text/csv"}
MINE = {"Authorization": "Bearer k"}


def table_of(*names: str, settings: ServerSettings = SETTINGS) -> tuple[Application, FakeHost]:
    host = FakeHost(*(FakeModel(name) for name in names or ("m",)))
    return build(cast(Any, host), settings), host


def ask(app: Any, what: Ask) -> Any:
    async def run() -> Any:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await what(client)

    return asyncio.run(run())


def get(app: Any, path: str, **headers: str) -> httpx.Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return cast(httpx.Response, ask(app, lambda client: client.get(path, headers=names)))


def post(app: Any, path: str, body: bytes = b"answer", **options: Any) -> httpx.Response:
    options.setdefault("headers", CSV)
    return cast(httpx.Response, ask(app, lambda client: client.post(path, content=body, **options)))


# As a FastAPI application


def test_a_model_is_served_from_its_folder(model: Model) -> None:
    folder = model(
        """
        import pandas as pd
        def load_model(code_dir):
            return 2
        def score(data, model, **kwargs):
            return pd.DataFrame({"Predictions": data["a"] * model})
        """
    )
    app = create_app(folder, target_type="regression")
    assert isinstance(app, FastAPI)
    paths = {getattr(route, "path", "") for route in app.routes}
    assert paths >= {"/docs", "/openapi.json"}

    async def run() -> None:
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://test") as client,
        ):
            served = {getattr(route, "path", "") for route in app.routes}
            assert served >= {"/predict/", "/invocations", "/v1/chat/completions", "/metrics"}
            reply = await client.post("/predict/", content=b"a\n1\n2\n", headers=CSV)
            assert (reply.status_code, reply.json()) == (200, {"predictions": [2.0, 4.0]})
            health = await client.get("/readyz")
            assert (health.status_code, health.json()["message"]) == (200, "OK")

    asyncio.run(run())


def test_its_routes_are_the_tables_and_follow_it() -> None:
    table, host = table_of("a", "b")
    app = web_application(table)

    def routes() -> set[str]:
        return {route.path for route in app.routes if "/models/" in getattr(route, "path", "")}

    assert "/models/a/predict/" in routes()
    assert post(app, "/models/b/predict/").json() == {"predictions": [1.0]}
    del host.models["b"]
    for tell in host.on_change:
        tell()
    assert not [path for path in routes() if path.startswith("/models/b/")]
    assert post(app, "/models/b/predict/").status_code == 404
    assert post(app, "/predict/").json() == {"predictions": [1.0]}


def test_it_is_mounted_below_another_application() -> None:
    outer = FastAPI()
    outer.mount("/ml", web_application(table_of("m")[0]))
    assert post(outer, "/ml/predict/").json() == {"predictions": [1.0]}
    assert get(outer, "/ml/health/").status_code == 200
    assert get(outer, "/ml/v1/models/m").json()["id"] == "m"
    document = get(outer, "/ml/openapi.json").json()
    assert document["servers"] == [{"url": "/ml"}]
    assert "/predict/" in document["paths"]
    assert "/ml/docs/assets/swagger-ui-bundle.js" in get(outer, "/ml/docs").text
    assert get(outer, "/ml/docs/assets/swagger-ui-bundle.js").status_code == 200
    assert "/ml/nothing" in get(outer, "/ml/nothing").text or get(outer, "/ml/nothing").json()
    assert post(outer, "/predict/").status_code == 404


def test_dependencies_and_middleware_see_calls_of_models() -> None:
    async def tenant(request: Request) -> None:
        if "x-tenant" not in request.headers:
            raise HTTPException(403, "which tenant?")

    app = web_application(table_of("m")[0], dependencies=[Depends(tenant)])
    app.add_middleware(GZipMiddleware, minimum_size=10)
    assert post(app, "/predict/").json() == {"detail": "which tenant?"}
    reply = post(app, "/predict/", headers={**CSV, "X-Tenant": "t"})
    assert reply.json() == {"predictions": [1.0]}
    assert reply.headers["content-encoding"] == "gzip"


def test_routes_can_be_added_and_are_documented() -> None:
    app = web_application(table_of("m")[0], title="Ours")

    @app.get("/hello/{name}")
    async def hello(name: str) -> dict[str, str]:
        return {"hello": name}

    assert get(app, "/hello/you").json() == {"hello": "you"}
    document = get(app, "/openapi.json").json()
    assert document["info"]["title"] == "Ours"
    assert {"/hello/{name}", "/predict/", "/metrics"} <= set(document["paths"])


# The documents


def test_the_pages_need_no_network() -> None:
    app, _ = table_of("m")
    for page in ("/docs", "/redoc"):
        reply = get(app, page)
        assert reply.status_code == 200
        places = re.findall(r"""(?:src|href)=["']([^"']+)""", reply.text)
        assert places
        for place in places:
            assert place.startswith("/docs/assets/"), place
            assert get(app, place).status_code == 200


def test_an_operation_has_a_request_that_works() -> None:
    app, _ = table_of("m")
    document = get(app, "/openapi.json").json()
    content = document["paths"]["/predict/"]["post"]["requestBody"]["content"]
    assert content["text/csv"]["example"].count("\n") >= 2
    assert "dataframe_split" in content["application/json"]["example"]


# Who sees what


KEYS = (
    ApiKey("all", digest_of("k")),
    ApiKey("a", digest_of("a"), models=("a",)),
)


@pytest.mark.parametrize("make", [lambda table: table, web_application], ids=["own", "FastAPI"])
def test_a_key_sees_only_what_it_opens(make: Callable[[Application], Any]) -> None:
    table, host = table_of("a", "b", settings=ServerSettings(keys=KEYS))
    app = make(table)
    host.models["b"].state = State.LOADING
    anonymous = get(app, "/health/")
    assert (anonymous.status_code, anonymous.json()) == (503, {"message": "ERROR: not ready"})
    mine = get(app, "/health/", Authorization="Bearer a")
    assert (mine.status_code, set(mine.json()["models"])) == (503, {"a"})
    assert set(get(app, "/readyz", Authorization="Bearer k").json()["models"]) == {"a", "b"}
    for path in ("/openapi.json", "/docs", "/models", "/metrics", "/models/a/info/", "/nothing"):
        assert get(app, path).status_code == 401, path
    document = get(app, "/openapi.json", Authorization="Bearer a").json()
    assert any(path.startswith("/models/a/") for path in document["paths"])
    assert not [path for path in document["paths"] if "/models/b" in path]
    assert "'b'" not in get(app, "/models/x/predict/", Authorization="Bearer a").text


def test_no_folder_of_the_server_is_shown() -> None:
    for app in (table_of("m")[0], table_of("m", "n")[0]):
        for path in ("/models", "/v1/models", "/models/m/info/", "/models/m/models"):
            assert "/somewhere" not in get(app, path).text, path


def test_polyhost_server_shows_its_folder_as_drum_does() -> None:
    app, _ = table_of("m", settings=ServerSettings(drum=True))
    assert get(app, "/info/").json()["codeDir"] == "/somewhere/m"


# Probes


def test_probes_are_true_to_the_moment() -> None:
    app, host = table_of("a", "b")
    assert get(app, "/livez").status_code == 200
    ready = ("/readyz", "/healthz", "/health/", "/health", "/ping", "/ping/")
    for path in ready:
        assert get(app, path).status_code == 200, path
    host.models["b"].any_ready = False  # its worker was killed: the state says so a moment later
    for path in ready:
        reply = get(app, path)
        assert (reply.status_code, reply.headers["retry-after"]) == (503, "1"), path
    assert reply.json()["models"] == {"a": "ready", "b": "restarting"}
    assert get(app, "/livez").status_code == 200
    assert get(app, "/").status_code == 200


def test_a_lazy_model_keeps_nobody_waiting() -> None:
    host = FakeHost(FakeModel("a"), FakeModel("b", lazy=True))
    app = build(cast(Any, host), SETTINGS)
    host.models["b"].state, host.models["b"].any_ready = State.UNLOADED, False
    assert get(app, "/ping").status_code == 200
    host.models["b"].state, host.models["b"].reason = State.FAILED, LoadError("no")
    assert get(app, "/ping").status_code == 503
    del host.models["a"]
    for tell in host.on_change:
        tell()
    for state, status in ((State.UNLOADED, 200), (State.LOADING, 200), (State.FAILED, 503)):
        host.models["b"].state = state
        for path in ("/ping", "/health/", "/readyz"):
            assert get(app, path).status_code == status, (path, state)


def test_ping_of_one_model_is_readiness_but_for_drum() -> None:
    for drum, status in ((False, 503), (True, 200)):
        app, host = table_of("m", settings=ServerSettings(drum=drum))
        assert get(app, "/ping").status_code == 200
        host.models["m"].state, host.models["m"].any_ready = State.LOADING, False
        assert get(app, "/ping").status_code == status
        assert get(app, "/readyz").status_code == 503
        assert get(app, "/health/").status_code == 503


# What is not there


MISSES = [
    ("GET", "/nothing", 404, "GET /docs shows every address"),
    ("POST", "/models/x/predict/", 404, "no model 'x' here: expected a, b"),
    ("POST", "/predict/", 404, "several models are served here"),
    ("POST", "/predict/", 404, "/models/NAME/predict/, where NAME is a, b"),
    ("POST", "/invocations", 404, "/models/NAME/invocations"),
    ("DELETE", "/models/a/predict/", 405, "expected OPTIONS, POST"),
    ("GET", "/models/a/predict/", 405, "/models/a/predict/ does not answer GET"),
]


@pytest.mark.parametrize("make", [lambda table: table, web_application], ids=["own", "FastAPI"])
@pytest.mark.parametrize(("method", "path", "status", "text"), MISSES)
def test_a_wrong_address_is_answered_with_what_there_is(
    make: Callable[[Application], Any], method: str, path: str, status: int, text: str
) -> None:
    app = make(table_of("a", "b")[0])
    reply = ask(app, lambda client: client.request(method, path))
    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/json"
    assert text in reply.json()["message"]


def test_a_missing_slash_is_a_redirect_that_keeps_the_query() -> None:
    for app in (table_of("m")[0], web_application(table_of("m")[0])):
        reply = post(app, "/predict?a=1")
        assert (reply.status_code, reply.headers["location"]) == (308, "/predict/?a=1")


def test_an_empty_body_is_answered_with_how_to_ask() -> None:
    app, _ = table_of("m")
    text = post(app, "/predict/", b"").json()["message"]
    assert "the body is empty" in text
    assert "Content-Type: text/csv" in text


def test_examples_are_the_models_own(tmp_path: Path) -> None:
    columns = (
        ColumnInfo("age", "integer"),
        ColumnInfo("city", "category", levels=("Rome", "Oslo")),
        ColumnInfo("name", "text", example="Ada"),
    )
    known = FakeModel("m")
    known.info = SimpleNamespace(guest=GuestInfo(columns=columns), hooks=(), formats=())
    assert sample_rows(known) == (["age", "city", "name"], [[1, "Rome", "Ada"]] * 2)
    (tmp_path / "example.csv").write_text('x,"y,z"\n1,a\n2,b\n3,c\n', encoding="utf-8")
    stored = FakeModel("m", spec=replace(SPEC, code_dir=tmp_path))
    assert sample_rows(stored) == (["x", "y,z"], [["1", "a"], ["2", "b"]])
    (tmp_path / "example.csv").write_bytes(b"\xff\xfe")
    assert sample_rows(stored) == sample_rows(FakeModel("m"))

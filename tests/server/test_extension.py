"""A code dir's own addition to the server: Flask's and FastAPI's, over a real socket."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command import POLYHOST, clean_environment
from support.served import ANY_PORT, Served

CUSTOM = """
import pandas as pd

def load_model(code_dir):
    return 1

def score(data, model, **kwargs):
    return pd.DataFrame({"Predictions": data["a"]})
"""
FLASK = """
import pathlib
import time
from flask import abort, g, jsonify, request
from werkzeug.exceptions import Conflict

OPEN = ("model_api.ping", "model_api.health")

def init_app(app):
    @app.before_request
    def authenticate():
        g.began = time.time()
        if request.endpoint in OPEN:
            return None
        if request.headers.get("Authorization") != "Bearer secret":
            return jsonify({"message": "who are you?"}), 401
        if request.headers.get("X-Read"):
            g.seen = request.get_data(as_text=True)
            if "forbidden" in g.seen:
                abort(403)
        if request.args.get("slow"):
            place = pathlib.Path(request.args["slow"])
            (place / "begun").touch()
            while not (place / "go on").exists():
                time.sleep(0.01)
        if request.args.get("fail"):
            raise RuntimeError("broken extension")
        return None

    @app.before_request
    def second():
        if request.args.get("conflict"):
            raise Conflict("twice")

    @app.after_request
    def mark(response):
        response.headers["X-Marked"] = "yes" if g.began else "no"
        return response

    @app.route("/own/<name>", methods=["GET"])
    def own(name):
        return f"own {name}"
"""
FASTAPI = """
from fastapi import Request
from fastapi.responses import JSONResponse

def init_app(app):
    @app.middleware("http")
    async def authenticate(request: Request, call_next):
        if request.headers.get("authorization") != "Bearer secret":
            return JSONResponse({"message": "who are you?"}, status_code=401)
        response = await call_next(request)
        response.headers["X-Marked"] = "yes"
        return response

    @app.get("/own/{name}")
    async def own(name: str):
        return {"own": name}
"""
ROWS = "a\n1\n2\n"
SECRET = {"Authorization": "Bearer secret", "Content-Type": "text/csv"}


def code_dir(folder: Path, **files: str) -> Path:
    code = folder / "model"
    code.mkdir()
    for name, text in {"custom": CUSTOM, **files}.items():
        (code / f"{name}.py").write_text(text, encoding="utf-8")
    return code


@pytest.fixture(scope="module")
def flask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    pytest.importorskip("flask", reason="pip install 'polyhost[flask]'")
    folder = tmp_path_factory.mktemp("flask")
    code = code_dir(folder, custom_flask=FLASK)
    served = Served.start(
        *(folder, "--code-dir", code, "--target-type", "regression"), command="server"
    )
    yield served
    served.stop()


@pytest.fixture(scope="module")
def fastapi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("fastapi")
    code = code_dir(folder, custom_fastapi=FASTAPI)
    arguments = ("--code-dir", code, "--target-type", "regression")
    served = Served.start(folder, *arguments, command="server", wait=False)
    served.wait_answering("/", 401)
    yield served
    served.stop()


# Flask


@pytest.mark.parametrize("path", ["/", "/ping", "/ping/", "/health/"])
def test_flask_knows_the_probes_by_drums_names(flask: Served, path: str) -> None:
    assert flask.client.get(path).json() == {"message": "OK"}


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/predict/"), ("GET", "/info/"), ("GET", "/metrics"), ("GET", "/nowhere")],
)
def test_an_early_answer_ends_the_request(flask: Served, method: str, path: str) -> None:
    reply = flask.client.request(method, path)
    assert (reply.status_code, reply.json()) == (401, {"message": "who are you?"})
    assert reply.headers["X_Request_ID"]
    assert reply.headers["X-Drum-Version"]


def test_behind_flask_everything_is_as_before(flask: Served) -> None:
    reply = flask.client.post("/predict/", content=ROWS, headers=SECRET)
    assert (reply.status_code, reply.content) == (200, b'{"predictions":[1.0,2.0]}')
    assert reply.headers["X-Marked"] == "yes"
    assert reply.headers.get_list("content-type") == ["application/json"]
    assert len(reply.headers.get_list("content-length")) == 1
    assert flask.client.post("/predict", content=ROWS, headers=SECRET).status_code == 308
    assert flask.client.get("/predict/", headers=SECRET).status_code == 405
    assert flask.client.get("/nowhere", headers=SECRET).status_code == 404
    assert flask.client.get("/metrics", headers=SECRET).status_code == 200


@pytest.mark.parametrize("rows", [2, 300_000])
def test_a_body_that_flask_read_is_there_for_the_model(flask: Served, rows: int) -> None:
    body = ROWS if rows == 2 else "a\n" + "1\n" * rows
    reply = flask.client.post("/predict/", content=body, headers={**SECRET, "X-Read": "1"})
    assert len(reply.json()["predictions"]) == rows
    reply = flask.client.post("/predict/", content="forbidden", headers={**SECRET, "X-Read": "1"})
    assert reply.status_code == 403


def test_a_chunked_body_reaches_flask_and_the_model(flask: Served) -> None:
    parts = iter([b"a\n", b"1\n", b"2\n"])
    reply = flask.client.post("/predict/", content=parts, headers={**SECRET, "X-Read": "1"})
    assert reply.json() == {"predictions": [1.0, 2.0]}


def test_flask_errors_and_routes_of_its_own(flask: Served) -> None:
    assert flask.client.get("/info/?conflict=1", headers=SECRET).status_code == 409
    assert flask.client.get("/info/?fail=1", headers=SECRET).status_code == 500
    assert flask.client.get("/own/path", headers=SECRET).text == "own path"
    assert flask.client.get("/info/", headers=SECRET).status_code == 200


def test_a_slow_function_blocks_nobody_else(flask: Served, tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(flask.client.get, f"/info/?slow={tmp_path}", headers=SECRET)
        until = time.monotonic() + 60
        while not (tmp_path / "begun").exists():
            assert time.monotonic() < until, "the function was never called"
            time.sleep(0.01)
        assert flask.client.get("/ping").status_code == 200
        assert not slow.done()
        (tmp_path / "go on").touch()
        assert slow.result().status_code == 200


def test_flask_under_a_prefix(tmp_path: Path) -> None:
    pytest.importorskip("flask", reason="pip install 'polyhost[flask]'")
    code = code_dir(tmp_path, custom_flask=FLASK)
    arguments = ("--code-dir", code, "--target-type", "regression")
    served = Served.start(
        tmp_path, *arguments, command="server", env={"URL_PREFIX": "/pre"}, wait=False
    )
    try:
        served.wait_answering("/pre/ping")
        assert served.client.get("/pre/info/").status_code == 401
        assert served.client.get("/pre/info/", headers=SECRET).status_code == 200
        assert served.client.get("/info/", headers=SECRET).status_code == 404
    finally:
        served.stop()


# FastAPI


def test_fastapi_middleware_sees_every_request(fastapi: Served) -> None:
    reply = fastapi.client.post("/predict/", content=ROWS)
    assert (reply.status_code, reply.json()) == (401, {"message": "who are you?"})
    assert reply.headers["X_Request_ID"]
    assert reply.headers["X-Drum-Version"]
    reply = fastapi.client.post("/predict/", content=ROWS, headers=SECRET)
    assert (reply.status_code, reply.json()) == (200, {"predictions": [1.0, 2.0]})
    assert reply.headers["X-Marked"] == "yes"


def test_fastapi_routes_stand_beside_ours(fastapi: Served) -> None:
    assert fastapi.client.get("/own/path", headers=SECRET).json() == {"own": "path"}
    assert fastapi.client.get("/openapi.json", headers=SECRET).json()["info"]["title"] == "polyhost"
    assert fastapi.client.get("/nowhere", headers=SECRET).status_code == 404
    assert fastapi.client.post("/predict", headers=SECRET).headers["location"] == "/predict/"


# What goes wrong, and where nothing is loaded


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"custom_fastapi": "x = 1"}, "has no init_app"),
        ({"custom_fastapi": "import nothing_like_this"}, "nothing_like_this"),
        ({"custom_fastapi": FASTAPI, "custom_flask": FLASK}, "Keep one"),
        ({"custom_fastapi": "def init_app(app): 1 / 0"}, "division by zero"),
    ],
)
def test_an_extension_that_fails_ends_the_start(
    tmp_path: Path, files: dict[str, str], said: str
) -> None:
    code = code_dir(tmp_path, **files)
    found = subprocess.run(
        [
            *(*POLYHOST, "server", "--code-dir", str(code), "--target-type", "regression"),
            *("--address", ANY_PORT),
        ],
        capture_output=True,
        env=clean_environment(tmp_path),
        text=True,
        timeout=120,
        check=False,
    )
    assert found.returncode == 1
    assert said in found.stderr


def test_flask_missing_is_told_with_what_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from polyhost.errors import RuntimeUnavailable
    from polyhost.server.extension import extended

    monkeypatch.setitem(sys.modules, "flask", None)
    monkeypatch.delitem(sys.modules, "polyhost.server.extension_flask", raising=False)
    with pytest.raises(RuntimeUnavailable, match=r"pip install 'polyhost\[flask\]'"):
        extended(object(), code_dir(tmp_path, custom_flask=FLASK), "")


def test_several_extensions_of_one_kind_are_refused(tmp_path: Path) -> None:
    from polyhost.errors import CodeDirError
    from polyhost.server.extension import extended

    code = code_dir(tmp_path, custom_flask=FLASK)
    (code / "below").mkdir()
    (code / "below" / "custom_flask.py").write_text(FLASK, encoding="utf-8")
    with pytest.raises(CodeDirError, match=r"several custom_flask\.py"):
        extended(object(), code, "")


def test_serve_loads_no_extension(tmp_path: Path) -> None:
    code = code_dir(tmp_path, custom_fastapi=FASTAPI)
    (code / "model-metadata.yaml").write_text(
        "name: m\ntype: inference\ntargetType: regression\n", encoding="utf-8"
    )
    served = Served.start(tmp_path, code)
    try:
        assert served.client.get("/info/").status_code == 200
    finally:
        served.stop()

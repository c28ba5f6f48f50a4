"""DRUM's server beyond its routes: what steers it, failed starts, statuses, answers' details."""

from __future__ import annotations

import http.client
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.command import POLYHOST, clean_environment
from support.served import ANY_PORT, Served

ROWS = """
import time
import pandas as pd

class CustomHTTPError(Exception):
    def __init__(self, message, status_code=400):
        super().__init__(message)
        self.status_code = status_code

def load_model(code_dir):
    return 1

def score(data, model, **kwargs):
    what = str(data["what"].iloc[0]) if len(data) and "what" in data else ""
    if what == "status":
        raise CustomHTTPError("pay first", 402)
    if what == "raise":
        raise ValueError("no such luck")
    if what == "sleep":
        time.sleep(60)
    if what == "text":
        return pd.DataFrame({"Predictions": ["five"] * len(data)})
    if what == "numbers":
        return pd.DataFrame({"any": [1, 1 / 3, float("nan"), float("inf")][: len(data)]})
    if what == "extra":
        frame = {"Predictions": [1, 2], "note": ["a", "b"]}
        return pd.DataFrame(frame, index=[5, 7])
    return pd.DataFrame({"Predictions": [0.5] * len(data)})
"""
ECHO = """
import json

def load_model(code_dir):
    return 1

def score_unstructured(model, data, query, **kwargs):
    what = query.get("what")
    if what == "none":
        return None
    if what == "list":
        return ["a", {"mimetype": "text/html"}]
    if what == "bytes":
        return b"abc", {"charset": "latin-1"}
    if what == "html":
        return "<p>", {"mimetype": "text/html", "other": 1}
    kwargs["headers"] = {k: v for k, v in kwargs["headers"].items() if k.startswith("X-")}
    return json.dumps({"type": type(data).__name__, **kwargs}, sort_keys=True)
"""
REGRESSION = ("--target-type", "regression")
PROBES = ("/", "/ping", "/ping/", "/health/")
POSTS = (
    *("/predict/", "/predictions/", "/invocations", "/transform/"),
    *("/predictUnstructured/", "/predictionsUnstructured/"),
)
Serve = Callable[..., Served]
Model = Callable[..., Path]


def parameter(name: str, value: float) -> dict[str, str]:
    text = json.dumps({"type": "numeric", "payload": value})
    return {f"MLOPS_RUNTIME_PARAM_{name}": text}


def module_server(folder: Path, hooks: str, *arguments: object, **env: str) -> Served:
    code = folder / "model"
    code.mkdir()
    (code / "custom.py").write_text(hooks, encoding="utf-8")
    return Served.start(folder, "-cd", code, *arguments, command="server", env=env)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    env = {**parameter("CUSTOM_MODEL_WORKERS", 2), **parameter("DRUM_CLIENT_REQUEST_TIMEOUT", 1.5)}
    served = module_server(
        tmp_path_factory.mktemp("rows"), ROWS, *REGRESSION, "--max-workers", 1, **env
    )
    yield served
    served.stop()


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("echo")
    served = module_server(folder, ECHO, "--target-type", "unstructured")
    yield served
    served.stop()


def server_command(tmp_path: Path, code: Path, *arguments: object) -> tuple[int, str]:
    """Exit code and all output of a ``server`` that is not expected to run."""
    found = subprocess.run(
        [
            *(*POLYHOST, "server", "-cd", str(code), *REGRESSION, *map(str, arguments)),
            *("--address", ANY_PORT),
        ],
        capture_output=True,
        env=clean_environment(tmp_path),
        text=True,
        timeout=120,
        check=False,
    )
    return found.returncode, found.stdout + found.stderr


# What steers it


def test_the_workers_of_the_runtime_parameter_win(rows: Served) -> None:
    processes = rows.client.get("/stats/").json()["drum_info"]
    assert len(processes) == 1 + 2
    assert all(item["cmdline"] and item["mem"] > 0 for item in processes)
    assert {"pid", "cmdline", "mem", "cpu_percent"} == set(processes[0])


def test_a_request_ends_at_the_timeout_of_the_runtime_parameter(rows: Served) -> None:
    reply = rows.post("/predict/", "what\nsleep\n")
    assert reply.status_code == 504
    assert rows.post("/predict/", "what\nx\n").json() == {"predictions": [0.5]}


@pytest.mark.parametrize("name", ["X-Request-Id", "X_Request_ID"])
def test_the_request_id_may_be_spelled_both_ways(rows: Served, name: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", rows.port, timeout=30)
    connection.request("GET", "/ping", headers={name: "mine"})
    reply = connection.getresponse()
    assert dict(reply.getheaders())["x_request_id"] == "mine"
    connection.close()


def test_stats_have_every_key(rows: Served) -> None:
    stats = rows.client.get("/stats/").json()
    memory = {"total", "avail", "free", "drum_rss"}
    container = {"container_limit", "container_max_used", "container_used"}
    assert set(stats["mem_info"]) == memory | container
    nothing = {"min": None, "avg": None, "max": None, "total": None}
    assert stats["time_info"] == {"run_predictor_total": nothing}


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
@pytest.mark.parametrize("path", ["/directAccess/v1/models", "/nim/health"])
def test_there_is_no_model_server_to_access(rows: Served, method: str, path: str) -> None:
    reply = rows.client.request(method, path)
    assert reply.status_code == 400
    assert reply.json()["message"].startswith("ERROR: ")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--gpu-predictor", "nim"], "--gpu-predictor is not supported"),
        (["--production"], "--max-workers"),
    ],
)
def test_flags_that_end_the_start(
    tmp_path: Path, model: Model, arguments: list[str], says: str
) -> None:
    code, output = server_command(tmp_path, model(ROWS), *arguments)
    assert (code, says in output) == (1, True)


TELLS = """
import logging
import os
import pandas as pd

def load_model(code_dir):
    return os.environ["ADDRESS"]

def score(data, model, **kwargs):
    logging.getLogger("mine").info("looked at %s", data["a"].iloc[0])
    if data["a"].iloc[0] == "fail":
        raise ValueError("no such luck")
    return pd.DataFrame({"Predictions": [model]})
"""


def test_what_a_model_logs_and_where_it_failed(serve: Serve, model: Model) -> None:
    served = serve(
        *("-cd", model(TELLS), "--target-type", "geopoint"),
        *("--logging-level", "info", "--show-stacktrace"),
        command="server",
    )
    seen = served.post("/predict/", "a\nx\n").json()["predictions"]
    assert seen in (["127.0.0.1:0"], [f"127.0.0.1:{served.port}"])  # as the flag says it
    assert served.post("/predict/", "a\nfail\n").status_code == 500
    served.stop()
    assert "INFO mine: looked at x\n" in served.err
    assert "ValueError: no such luck" in served.err
    assert 'custom.py", line 12, in score' in served.err


# A failed start


@pytest.mark.parametrize("text", ["{", "[]", '{"target": 1}'])
def test_a_wrong_deployment_config_ends_the_start(tmp_path: Path, model: Model, text: str) -> None:
    config = tmp_path / "config.json"
    config.write_text(text, encoding="utf-8")
    code, output = server_command(tmp_path, model(ROWS), "--deployment-config", config)
    assert (code, "config.json" in output) == (1, True)


def test_the_error_server_tells_of_a_failed_start(serve: Serve, model: Model) -> None:
    code = model("raise ValueError('cannot be loaded')")
    served = serve(
        *("-cd", code, *REGRESSION, "--with-error-server"),
        command="server",
        wait=False,
    )
    served.wait_answering("/ping", 513)
    calls = [("GET", path) for path in PROBES] + [("POST", path) for path in POSTS]
    for method, path in calls:
        reply = served.client.request(method, path)
        assert reply.status_code == 513, path
        assert reply.json()["message"].startswith("ERROR: ")
        assert "cannot be loaded" in reply.json()["message"]
        assert reply.headers["X_Request_ID"]
    for path in ("/info/", "/stats/", "/capabilities/", "/models", "/nim/x", "/metrics"):
        assert served.client.get(path).status_code == 404, path
    assert served.client.post("/chat/completions", json={}).status_code == 404
    assert served.client.post("/predict").status_code == 308


def test_the_error_server_tells_of_wrong_options(
    serve: Serve, model: Model, tmp_path: Path
) -> None:
    config = tmp_path / "config.json"
    config.write_text("{}", encoding="utf-8")
    served = serve(
        *("-cd", model(ROWS), *REGRESSION, "--deployment-config", config),
        command="server",
        env={"WITH_ERROR_SERVER": "1"},
        wait=False,
    )
    served.wait_answering("/health/", 513)
    assert "config.json" in served.client.get("/").json()["message"]


# Statuses


@pytest.mark.parametrize(
    ("what", "status", "message"),
    [
        ("status", 402, "pay first"),
        ("raise", 500, "ERROR: model 'score' failed in python: ValueError: no such luck"),
    ],
)
def test_errors_of_hooks(rows: Served, what: str, status: int, message: str) -> None:
    reply = rows.post("/predict/", f"what\n{what}\n")
    assert reply.status_code == status
    assert reply.json()["message"].startswith(message)
    assert ("X-Drum-User-Http-Error" in reply.headers) == (status == 402)


def test_text_of_a_number_model_is_the_models_fault(rows: Served) -> None:
    reply = rows.post("/predict/", "what\ntext\n")
    assert (reply.status_code, "five" in reply.json()["message"]) == (500, True)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/transform/", "TargetType.REGRESSION"),
        ("/predictUnstructured/", "TargetType.REGRESSION"),
    ],
)
def test_a_structured_model_on_other_routes(rows: Served, path: str, shown: str) -> None:
    reply = rows.post(path, "a\n1\n")
    assert (reply.status_code, shown in reply.json()["message"]) == (422, True)


@pytest.mark.parametrize("path", ["/predict/", "/predictions/", "/invocations"])
def test_an_unstructured_model_on_rows(echo: Served, path: str) -> None:
    reply = echo.post(path, "a\n1\n")
    assert reply.status_code == 422
    assert "target type 'unstructured'" in reply.json()["message"]
    reply = echo.post("/transform/", "a\n1\n")
    assert (reply.status_code, "TargetType.UNSTRUCTURED" in reply.text) == (422, True)


# Answers


def test_numbers_are_floats_in_full_or_null(rows: Served) -> None:
    reply = rows.post("/predict/", "what\n" + "numbers\n" * 4)
    assert reply.text == '{"predictions":[1.0,0.3333333333333333,null,null]}'


def test_extra_output_has_the_hooks_own_index(rows: Served) -> None:
    reply = rows.post("/predict/", "what\nextra\nextra\n")
    extra = {"columns": ["note"], "index": [5, 7], "data": [["a"], ["b"]]}
    assert reply.json() == {"predictions": [1.0, 2.0], "extraModelOutput": extra}


def test_a_header_alone_is_refused(rows: Served) -> None:
    reply = rows.post("/predict/", "what\n")
    assert (reply.status_code, "the table has no rows" in reply.text) == (422, True)


def test_a_deployment_config_shapes_the_answer(serve: Serve, model: Model, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    target = {"name": "price", "type": "Regression", "class_mapping": None}
    config.write_text(json.dumps({"target": target}), encoding="utf-8")
    served = serve(
        *("-cd", model(ROWS), *REGRESSION), command="server", env={"DEPLOYMENT_CONFIG": str(config)}
    )
    row = {"prediction": 0.5, "predictionValues": [{"label": "price", "value": 0.5}], "rowId": 0}
    assert served.post("/predict/", "what\nx\n").json() == {"data": [row]}


@pytest.mark.parametrize(
    ("content_type", "seen"),
    [
        ("", {"type": "str", "mimetype": "text/plain", "charset": "utf-8"}),
        ("text/csv", {"type": "str", "mimetype": "text/csv", "charset": "utf-8"}),
        ("application/json", {"type": "str", "mimetype": "application/json", "charset": "utf-8"}),
        (
            "text/csv; charset=latin-1",
            {"type": "str", "mimetype": "text/csv", "charset": "latin-1"},
        ),
        ("application/vnd.x+json", {"type": "bytes", "mimetype": "application/vnd.x+json"}),
        ("image/png; charset=x", {"type": "bytes", "mimetype": "image/png", "charset": "x"}),
        ("multipart/form-data; boundary=b", {"type": "bytes", "mimetype": "multipart/form-data"}),
    ],
)
def test_what_an_unstructured_hook_sees(
    echo: Served, content_type: str, seen: dict[str, Any]
) -> None:
    headers = {"Content-Type": content_type, "x-own-header": "1", "X-Request-Id": "id"}
    if not content_type:
        del headers["Content-Type"]
    reply = echo.client.post("/predictUnstructured/", content=b"body", headers=headers)
    expected = {"headers": {"X-Own-Header": "1", "X-Request-Id": "id"}, **seen}
    assert reply.json() == expected
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("query", "status", "content_type", "body"),
    [
        ("what=none", 200, "text/plain; charset=utf-8", b""),
        ("what=none&what=list", 200, "text/plain; charset=utf-8", b""),
        ("what=bytes", 200, "application/octet-stream; charset=latin-1", b"abc"),
        ("what=html", 200, "text/html; charset=utf-8", b"<p>"),
        ("what=list", 500, "application/json", None),
    ],
)
def test_what_an_unstructured_hook_returns(
    echo: Served, query: str, status: int, content_type: str, body: bytes | None
) -> None:
    reply = echo.client.post(f"/predictionsUnstructured/?{query}", content=b"x")
    assert (reply.status_code, reply.headers["content-type"]) == (status, content_type)
    if body is not None:
        assert reply.content == body

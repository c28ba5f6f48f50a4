"""DRUM's routes over a real socket: paths, headers, bodies, statuses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from support.served import Served

from polyhost import __version__
from polyhost.drum_compat import DRUM_VERSION

SUM = """
import pandas as pd

def load_model(code_dir):
    return 2.0

def score(data, model, **kwargs):
    return pd.DataFrame({"Predictions": data["a"] + model * data["b"]})
"""
NO_SAMPLES = (
    "ERROR: Samples should be provided as:   - a csv or mtx under `X` form-data param key."
    "  - binary data"
)
CSV = "a,b\n1,2\n3,4\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("sum")
    (folder / "custom.py").write_text(SUM, encoding="utf-8")
    served = Served.start(
        tmp_path_factory.mktemp("server"),
        *["--code-dir", folder, "--target-type", "regression"],
        command="server",
        env={"URL_PREFIX": "/pre", "EXTRA": "1"},
        wait=False,
    )
    served.wait_answering("/pre/")
    yield served
    served.stop()


@pytest.mark.parametrize("path", ["/", "/ping", "/ping/", "/health/", "/health"])
def test_probes(server: Served, path: str) -> None:
    reply = server.client.get(f"/pre{path}")
    assert (reply.status_code, reply.content) == (200, b'{"message":"OK"}\n')
    assert reply.headers["content-type"] == "application/json"


def test_nothing_is_served_outside_the_prefix(server: Served) -> None:
    for path in ("/", "/ping", "/info/", "/docs"):
        assert server.client.get(path).status_code == 404
    assert server.post("/predict/", CSV).status_code == 404


def test_every_response_has_the_request_id_and_the_version(server: Served) -> None:
    for header in ("X-Request-Id", "X_Request_Id"):
        reply = requests.get(
            f"http://127.0.0.1:{server.port}/pre/", headers={header: "my-id"}, timeout=30
        )
        if header == "X-Request-Id":
            assert reply.headers["X_Request_ID"] == "my-id"
    fresh = [server.post("/pre/predict/", CSV).headers["X_Request_ID"] for _ in range(2)]
    assert all(re.fullmatch(r"[0-9a-f-]{36}", value) for value in fresh)
    assert fresh[0] != fresh[1]
    for path in ("/pre/info/", "/pre/nowhere", "/nowhere"):
        assert server.client.get(path).headers["X-Drum-Version"] == DRUM_VERSION


def test_redirects_keep_method_and_body(server: Served) -> None:
    reply = server.client.post("/pre/predict?x=1", content=CSV)
    assert (reply.status_code, reply.headers["location"]) == (308, "/pre/predict/?x=1")
    assert reply.headers["X_Request_ID"]
    assert server.client.get("/pre/info").headers["X-Drum-Version"] == DRUM_VERSION
    followed = server.client.post(
        "/pre/predict", content=CSV, headers={"Content-Type": "text/csv"}, follow_redirects=True
    )
    assert followed.json() == {"predictions": [5.0, 11.0]}
    assert server.post("/pre/invocations/", CSV).status_code == 404


def test_unknown_paths_and_wrong_methods_are_json(server: Served) -> None:
    unknown = server.client.get("/pre/nowhere")
    wrong = server.client.get("/pre/predict/")
    assert (unknown.status_code, wrong.status_code) == (404, 405)
    assert wrong.headers["allow"] == "OPTIONS, POST"
    assert unknown.headers["content-type"] == wrong.headers["content-type"] == "application/json"
    assert server.client.head("/pre/").status_code == 200


@pytest.mark.parametrize("path", ["/predict/", "/predictions/", "/invocations"])
@pytest.mark.parametrize("content_type", ["text/csv", "text/plain; charset=utf-8"])
def test_raw_csv(server: Served, path: str, content_type: str) -> None:
    reply = server.post(f"/pre{path}", CSV, content_type)
    assert (reply.status_code, reply.content) == (200, b'{"predictions":[5.0,11.0]}')


def test_raw_csv_without_a_type(server: Served) -> None:
    reply = requests.post(
        f"http://127.0.0.1:{server.port}/pre/predict/", data=CSV.encode(), timeout=30
    )
    assert reply.json() == {"predictions": [5.0, 11.0]}


def test_multipart(server: Served) -> None:
    url = f"http://127.0.0.1:{server.port}/pre/predict/"
    reply = requests.post(url, files={"X": ("rows.csv", CSV, "application/json")}, timeout=30)
    assert reply.json() == {"predictions": [5.0, 11.0]}
    reply = requests.post(url, files={"Y": ("rows.csv", CSV)}, timeout=30)
    assert (reply.status_code, reply.json()) == (422, {"message": NO_SAMPLES})


@pytest.mark.parametrize(
    ("body", "content_type"), [("", "text/csv"), (CSV, "application/x-www-form-urlencoded")]
)
def test_a_body_that_holds_no_samples(server: Served, body: str, content_type: str) -> None:
    reply = server.post("/pre/predict/", body, content_type)
    assert (reply.status_code, reply.json()) == (422, {"message": NO_SAMPLES})


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2], [3, 4]]}},
        {"dataframe_records": [{"a": 1, "b": 2}, {"a": 3, "b": 4}]},
    ],
)
def test_json_rows(server: Served, body: object) -> None:
    reply = server.post("/pre/predict/", json.dumps(body), "application/json")
    assert reply.json() == {"predictions": [5.0, 11.0]}


@pytest.mark.parametrize(
    "body", ["", "{", "[1]", "{}", '{"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}']
)
def test_json_that_cannot_be_used(server: Served, body: str) -> None:
    reply = server.post("/pre/predict/", body, "application/json")
    assert reply.status_code == 422
    assert reply.json()["message"].startswith("ERROR: ")
    if body:  # MLflow's clients ask here, in whose contract this is
        reply = server.post("/pre/invocations", body, "application/json")
        assert reply.status_code == 400
        assert reply.json()["error_code"] == "BAD_REQUEST"


def test_malformed_csv_is_422(server: Served) -> None:
    for body in (b'a,b\n1,2,3,4\n"', b"a,b\n\xff,2\n"):
        reply = server.post("/pre/predict/", body)
        assert reply.status_code == 422
        assert reply.json()["message"].startswith("ERROR: ")


def test_an_unsupported_type_is_422(server: Served) -> None:
    reply = server.post("/pre/predict/", CSV, "application/zip")
    assert reply.status_code == 422
    assert "payload format" in reply.json()["message"]


def test_a_hook_that_raises_is_500_and_names_its_place(server: Served) -> None:
    reply = server.post("/pre/predict/", "c\n1\n")
    assert reply.status_code == 500
    assert "KeyError" in reply.json()["message"]
    assert "custom.py:8" in reply.json()["message"]


def test_wrong_endpoints(server: Served) -> None:
    reply = server.post("/pre/predictUnstructured/", "text")
    assert reply.status_code == 422
    assert "TargetType.REGRESSION" in reply.json()["message"]
    assert "/predict/" in reply.json()["message"]
    assert server.post("/pre/transform/", CSV).status_code == 422


def test_info(server: Served) -> None:
    info = server.client.get("/pre/info/").json()
    assert info["targetType"] == "regression"
    assert info["language"] == "python"
    assert info["drumVersion"] == DRUM_VERSION
    assert info["drumServer"] == "flask"
    assert info["polyhostVersion"] == __version__
    assert info["payloadFormats"] == ["csv", "mtx", "arrow", "parquet"]
    assert info["codeDir"]
    assert info["modelMetadata"] is None
    assert info["predictor"] is None


def test_stats_are_valid_json_every_time(server: Served) -> None:
    for _ in range(2):
        stats = server.client.get("/pre/stats/").json()
        assert len(stats["drum_info"]) == 2
        assert stats["mem_info"]["total"] > stats["mem_info"]["drum_rss"] > 0
        times = stats["time_info"]["run_predictor_total"]
        assert times == {"min": None, "avg": None, "max": None, "total": None}


def test_capabilities(server: Served) -> None:
    body = server.client.get("/pre/capabilities/").json()
    assert body == {
        "supported_methods": {"chat": False},
        "supported_payload_formats": {"csv": None, "mtx": None},
    }


def test_the_openapi_document_names_the_routes(server: Served) -> None:
    document = server.client.get("/pre/openapi.json").json()
    assert {"/pre/", "/pre/predict/", "/pre/info/", "/pre/stats/"} <= set(document["paths"])
    assert server.client.get("/pre/docs").status_code == 200


def test_show_perf_collects_times(serve: Callable[..., Served], tmp_path: Path) -> None:
    (tmp_path / "custom.py").write_text(SUM, encoding="utf-8")
    served = serve(
        *["--code-dir", tmp_path, "--target-type", "regression", "--show-perf"], command="server"
    )
    served.post("/predict/", CSV)
    times = served.client.get("/stats/").json()["time_info"]["run_predictor_total"]
    assert 0 <= times["min"] <= times["avg"] <= times["max"] <= times["total"] < 30
    again = served.client.get("/stats/").json()["time_info"]["run_predictor_total"]
    assert again["total"] is None

"""SageMaker's, Azure ML's, Vertex AI's and Databricks' containers, as their platforms call them."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from support.direct_model import application, direct, get, post
from support.served import Served

from polyhost.data.target import Target, TargetType
from polyhost.server.app import Application

FRAME = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": [0.5, -1.0, 2.0, 0.0]})
LINE = LinearRegression().fit(FRAME, [1.0, 2.0, 4.0, 8.0])
SHORT = LogisticRegression().fit(FRAME, ["no", "yes", "no", "yes"])
PREDICTED = LINE.predict(FRAME).tolist()
ROWS, RECORDS = FRAME.to_numpy().tolist(), FRAME.to_dict("records")
SPLIT = FRAME.to_dict("split")


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Application:
    return application(direct(tmp_path_factory.mktemp("line"), LINE))


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Application:
    target = Target(TargetType.BINARY, ("yes", "no"))
    return application(direct(tmp_path_factory.mktemp("short"), SHORT, target))


# Azure ML


@pytest.mark.parametrize(
    "body",
    [
        {"data": ROWS},
        {"data": RECORDS, "method": "predict"},
        {"input_data": SPLIT},
        {"input_data": ROWS},
        {"input_data": RECORDS, "params": {}},
        {"input_data": FRAME.to_dict("list")},
        {"dataframe_split": SPLIT},
        RECORDS,
        ROWS,
    ],
)
def test_azure_is_answered_by_a_list(line: Application, body: object) -> None:
    reply = post(line, "/score", body)
    assert (reply.status_code, reply.json()) == (200, PREDICTED)


def test_azure_automl_is_answered_by_results(short: Application) -> None:
    body = {"Inputs": {"data": RECORDS}, "GlobalParameters": {"method": "predict"}}
    assert post(short, "/score", body).json() == {"Results": SHORT.predict(FRAME).tolist()}


def test_azure_clients_get_their_identifiers_back(line: Application) -> None:
    ids = ("x-request-id", "x-ms-request-id", "x-ms-client-request-id", "trace-id")

    def seen(**headers: str) -> list[str | None]:
        reply = post(line, "/score", {"data": ROWS}, **headers)
        return [reply.headers.get(name) for name in ids]

    assert seen(x_request_id="r") == ["r", "r", None, None]
    assert seen(x_request_id="r", x_ms_client_request_id="c") == ["r", "c", "c", None]
    assert seen(x_request_id="r", x_ms_request_id="m") == ["r", "m", "m", None]
    assert seen(
        x_request_id="r", x_ms_request_id="m", x_ms_client_request_id="c", trace_id="t"
    ) == [*("r", "c", "c", "t")]


@pytest.mark.parametrize(
    ("body", "kind", "status", "says"),
    [
        ("{", "application/json", 400, "not valid JSON"),
        ('{"data": [[1]]}', "application/json", 400, "1 cell(s) each: expected 2"),
        ('{"data": [["x", 1]]}', "application/json", 400, "'a'"),
        ('{"rows": []}', "application/json", 400, "Expected exactly one of"),
        ('{"Inputs": []}', "application/json", 400, '"Inputs" must be an object'),
        ("a,b\n1,2\n", "text/csv", 415, "expected application/json"),
        ("", "application/json", 400, "the body is empty"),
    ],
)
def test_what_azure_cannot_be_answered(
    line: Application, body: str, kind: str, status: int, says: str
) -> None:
    reply = post(line, "/score", body, content_type=kind)
    assert reply.status_code == status
    assert says in reply.json()["error"]


# Vertex AI


@pytest.fixture
def vertex(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Application:
    monkeypatch.setenv("AIP_ENDPOINT_ID", "7")
    monkeypatch.setenv("AIP_DEPLOYED_MODEL_ID", "8")
    return application(direct(tmp_path / "m", LINE))


def test_vertex_has_its_default_routes(vertex: Application) -> None:
    place = "/v1/endpoints/7/deployedModels/8"
    assert get(vertex, place).status_code == 200
    reply = post(vertex, f"{place}:predict", {"instances": ROWS, "parameters": {}})
    assert reply.json() == {"predictions": PREDICTED}
    texts = [{name: str(cell) for name, cell in row.items()} for row in RECORDS]
    assert post(vertex, f"{place}:predict", {"instances": texts}).json() == {
        "predictions": PREDICTED
    }
    reply = post(vertex, f"{place}:predict", {"instances": [["1_0", "2"]]})
    assert reply.status_code == 400
    assert "'1_0'" in reply.json()["error"]
    assert post(vertex, f"{place}:predict", {"rows": 1}).status_code == 400


def test_vertex_has_the_routes_that_its_variables_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIP_HEALTH_ROUTE", "/alive")
    monkeypatch.setenv("AIP_PREDICT_ROUTE", "/ask/me")
    model = direct(tmp_path / "m", SHORT, Target(TargetType.BINARY, ("yes", "no")))
    app = application(model)
    assert get(app, "/alive").status_code == 200
    assert post(app, "/ask/me", {"instances": RECORDS}).json() == {
        "predictions": SHORT.predict(FRAME).tolist()
    }
    model.any_ready = False
    assert get(app, "/alive").status_code == 503


# SageMaker and Databricks


@pytest.mark.parametrize("path", ["/models/m/invoke", "/serving-endpoints/m/invocations"])
def test_other_addresses_of_invocations(line: Application, path: str) -> None:
    body = FRAME.to_csv(index=False, header=False)
    reply = post(line, path, body, content_type="text/csv", accept="text/csv")
    assert [float(text) for text in reply.text.splitlines()] == PREDICTED
    assert post(line, path, {"dataframe_records": RECORDS}).json() == {"predictions": PREDICTED}
    reply = post(line, "/models/other/invoke", body, content_type="text/csv")
    assert reply.status_code == 404


def test_batch_transform_asks_how_to_send(
    line: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = get(line, "/execution-parameters").json()
    assert found == {
        "MaxConcurrentTransforms": 1,
        "BatchStrategy": "MULTI_RECORD",
        "MaxPayloadInMB": 1,
    }
    monkeypatch.setenv("SAGEMAKER_MAX_CONCURRENT_TRANSFORMS", "4")
    monkeypatch.setenv("SAGEMAKER_MAX_PAYLOAD_IN_MB", "3")
    found = get(line, "/execution-parameters").json()
    assert (found["MaxConcurrentTransforms"], found["MaxPayloadInMB"]) == (4, 3)


def test_batch_transform_gets_a_line_a_row(
    short: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAGEMAKER_BATCH", "true")
    rows = FRAME.to_csv(index=False)
    reply = post(short, "/invocations", rows, content_type="text/csv", accept="text/csv")
    assert len(reply.text.splitlines()) == len(FRAME)


def test_a_container_is_started_with_the_word_serve_alone(
    tmp_path: Path, serve: Callable[..., Served]
) -> None:
    """As SageMaker and Azure ML do: what is served is in variables."""
    folder = tmp_path / "var" / "line"
    folder.mkdir(parents=True)
    (folder / "model.pkl").write_bytes(pickle.dumps(LINE))
    server = serve(env={"AZUREML_MODEL_DIR": str(folder.parent)})
    assert server.client.get("/ping").status_code == 200
    assert server.client.post("/score", json={"data": ROWS}).json() == PREDICTED
    assert "listening at 0.0.0.0" in server.err


ANSWERS = """
def load_model(code_dir):
    return "m"

def score_unstructured(model, data, query, headers=None, mimetype=None, **kwargs):
    return f"{mimetype} {data}", {"mimetype": "text/x-answer"}
"""


def test_a_model_that_takes_anything_is_invoked_too(tmp_path: Path) -> None:
    app = application(direct(tmp_path / "m", ANSWERS, TargetType.UNSTRUCTURED))
    for path in ("/invocations", "/models/m/invoke"):
        reply = post(app, path, "body", content_type="text/x-own")
        assert (reply.status_code, reply.text) == (200, "text/x-own body")
        assert reply.headers["content-type"].startswith("text/x-answer")


def test_a_multi_model_endpoint_loads_and_unloads_models(
    tmp_path: Path, serve: Callable[..., Served]
) -> None:
    """As SageMaker does: the container starts empty, and is asked for each model by its name."""
    for name in ("one", "two"):
        folder = tmp_path / name / "model"
        folder.mkdir(parents=True)
        (folder / "model.pkl").write_bytes(pickle.dumps(LINE))
    (tmp_path / "bad" / "model").mkdir(parents=True)
    variables = {"SAGEMAKER_MULTI_MODEL": "true", "POLYHOST_SAGEMAKER_MODELS": str(tmp_path)}
    client = serve(env=variables).client
    assert client.get("/ping").status_code == 200
    assert client.get("/models").json()["models"] == []
    csv = {"Content-Type": "text/csv"}
    assert client.post("/models/one/invoke", content="1,2", headers=csv).status_code == 404

    def load(name: str, folder: str | None = None) -> int:
        url = str(tmp_path / (folder or name) / "model")
        return client.post("/models", json={"model_name": name, "url": url}).status_code

    assert [load("one"), load("one"), load("two"), load("three", "bad")] == [200, 409, 200, 400]
    assert load("four", "../../etc") == 400
    assert client.post("/models", content=b"{").status_code == 400
    listed = client.get("/models").json()["models"]
    assert [each["modelName"] for each in listed] == ["one", "two"]
    assert client.get("/models/one").json() == {"modelName": "one", "modelUrl": "/models/one"}
    assert client.get("/models/none").status_code == 404
    reply = client.post("/models/one/invoke", content="1,0.5", headers=csv)
    assert reply.json() == {"predictions": PREDICTED[:1]}
    assert client.delete("/models/one").status_code == 200
    assert client.delete("/models/one").status_code in (404, 405)
    assert client.post("/models/one/invoke", content="1,2", headers=csv).status_code == 404


def test_models_are_loaded_by_no_other_client(line: Application) -> None:
    body = {"model_name": "m2", "url": "/tmp"}
    assert post(line, "/models", body).status_code == 405

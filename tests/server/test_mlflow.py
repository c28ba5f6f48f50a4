"""Models that MLflow saved behind a real server, as its clients ask them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from support import mlflow_models
from support.mlflow_models import columns
from support.served import Served

ROWS = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "b": [1.0, 0.5, 4.0, 2.0]})
CLASSES = [0, 0, 1, 1]
SPLIT = {"dataframe_split": {"columns": ["a", "b"], "data": ROWS.to_numpy().tolist()}}


@pytest.fixture(scope="module")
def estimator() -> LogisticRegression:
    return LogisticRegression().fit(ROWS, CLASSES)


@pytest.fixture(scope="module")
def one(
    tmp_path_factory: pytest.TempPathFactory, estimator: LogisticRegression
) -> Iterator[Served]:
    """A server of one model."""
    folder = tmp_path_factory.mktemp("one")
    inputs = columns(a="double", b="double")
    model = mlflow_models.sklearn(folder / "iris", estimator, signature={"inputs": inputs})
    served = Served.start(folder, model)
    yield served
    served.stop()


CODE = """
class Model:
    def predict(self, data, params=None):
        if isinstance(data, dict) and "fail" in data:
            raise RuntimeError("asked to")
        return {{"who": "{name}", "given": type(data).__name__}}

def _load_pyfunc(path):
    return Model()
"""


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of models whose modules have one name; the example of one is an error."""
    folder = tmp_path_factory.mktemp("several")
    models = [mlflow_models.of_loader(folder / name, CODE.format(name=name)) for name in "ab"]
    for model, example in zip(models, ({"inputs": [1]}, {"inputs": {"fail": [1]}}), strict=True):
        (model / "example_body.json").write_text(json.dumps(example))
        with (model / "MLmodel").open("a") as file:
            file.write("saved_input_example_info:\n  serving_input_path: example_body.json\n")
    served = Served.start(folder, *models)
    yield served
    served.stop()


def test_modules_of_one_name_do_not_meet(several: Served) -> None:
    for name in "ab":
        reply = several.client.post(f"/models/{name}/invocations", json={"inputs": [1, 2]})
        assert reply.json() == {"predictions": {"who": name, "given": "ndarray"}}


def test_an_example_of_any_answer_is_a_warm_up(several: Served) -> None:
    """What is no table, or an error, does not keep a first version from being served."""
    assert several.client.get("/ping").status_code == 200
    assert "model b: its stored example is not answered" in several.err
    assert "model a: its stored example" not in several.err


def test_the_routes_of_mlflows_server_answer_at_the_root(one: Served) -> None:
    for path in ("/ping", "/health"):
        reply = one.client.get(path)
        assert (reply.status_code, reply.content) == (200, b"\n")
        assert reply.headers["content-type"] == "application/json"
    version = one.client.get("/version")
    assert version.text == "3.17.2"
    assert version.headers["content-type"] == "application/json"


@pytest.mark.parametrize("place", ["", "/models/iris"])
def test_each_generation_is_answered_in_its_own(
    one: Served, estimator: LogisticRegression, place: str
) -> None:
    expected = estimator.predict(ROWS).tolist()
    today = one.client.post(f"{place}/invocations", json=SPLIT)
    assert (today.status_code, today.json()) == (200, {"predictions": expected})
    assert today.headers["content-type"] == "application/json"
    records = ROWS.to_json(orient="records")
    kind = {"content-type": "application/json; format=pandas-records"}
    assert one.client.post(f"{place}/invocations", content=records, headers=kind).json() == expected
    csv = ROWS.to_csv(index=False)
    reply = one.client.post(
        f"{place}/invocations", content=csv, headers={"content-type": "text/csv"}
    )
    assert reply.json() == {"predictions": expected}


def test_parquet_is_held_against_the_signature(one: Served, estimator: LogisticRegression) -> None:
    kind = {"content-type": "application/vnd.apache.parquet"}
    reply = one.client.post("/invocations", content=ROWS.to_parquet(), headers=kind)
    assert reply.json() == {"predictions": estimator.predict(ROWS).tolist()}
    whole = ROWS.assign(a=np.array([5, 6, 7, 8])).to_parquet()
    refused = one.client.post("/invocations", content=whole, headers=kind)
    assert refused.status_code == 400
    assert refused.json()["error_code"] == "INVALID_PARAMETER_VALUE"
    assert "Can not safely convert int64 to float64" in refused.json()["message"]


def test_errors_look_as_mlflows_clients_expect(one: Served) -> None:
    def post(content: str, kind: str = "application/json") -> tuple[int, str, dict[str, str]]:
        reply = one.client.post("/invocations", content=content, headers={"content-type": kind})
        is_json = reply.headers["content-type"] == "application/json"
        return reply.status_code, reply.headers["content-type"], reply.json() if is_json else {}

    assert post("{", "text/html")[:2] == (415, "text/plain; charset=utf-8")
    status, _, body = post("{")
    assert (status, body["error_code"]) == (400, "BAD_REQUEST")
    status, _, body = post('{"dataframe_records": [{"a": 1}]}')
    assert (status, body["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert body["message"].startswith("Model is missing inputs ['b'].")
    status, _, body = post('{"dataframe_records": [{"a": 1, "b": null}]}')
    assert (status, body["error_code"]) == (400, "BAD_REQUEST")
    assert "Input X contains NaN" in body["stack_trace"]
    assert post("{}")[0] == 400
    assert one.client.get("/invocations").status_code == 405
    # MindsDB asks for the address first, with neither a body nor a type
    assert one.client.post("/invocations").status_code not in (404, 405)


def test_other_protocols_serve_it_too(one: Served, estimator: LogisticRegression) -> None:
    csv = ROWS.to_csv(index=False)
    reply = one.client.post("/predict/", content=csv, headers={"content-type": "text/csv"})
    assert reply.json() == {"predictions": estimator.predict(ROWS).tolist()}
    assert one.client.get("/info/").json()["targetType"] == "any"


def test_rows_are_answered_in_the_form_that_is_accepted(
    one: Served, estimator: LogisticRegression
) -> None:
    expected = estimator.predict(ROWS)
    reply = one.client.post("/invocations", json=SPLIT, headers={"accept": "text/csv"})
    assert reply.text == "".join(f"{value}\n" for value in expected)
    reply = one.client.post("/invocations", json=SPLIT, headers={"accept": "application/x-parquet"})
    found = pd.read_parquet(io.BytesIO(reply.content))
    assert found.iloc[:, 0].tolist() == expected.tolist()
    other = one.client.post("/invocations", json=SPLIT, headers={"accept": "image/png"})
    assert other.json() == {"predictions": expected.tolist()}  # MLflow does not look at it


def test_nan_is_null_unless_the_word_is_asked_for(tmp_path: Path) -> None:
    code = """
        import numpy as np
        class Model:
            def predict(self, data): return np.array([1.5, np.nan, np.inf])
        def _load_pyfunc(path): return Model()
    """
    mlflow_models.of_loader(tmp_path / "holes", code)
    config = tmp_path / "polyhost.yaml"
    config.write_text(
        "models:\n  plain: {path: holes}\n  literal: {path: holes, literal_nan: true}\n"
    )
    served = Served.start(tmp_path, "--config", config)
    try:
        body = {"inputs": [1]}
        plain = served.client.post("/models/plain/invocations", json=body)
        assert plain.text == '{"predictions":[1.5,null,null]}'
        literal = served.client.post("/models/literal/invocations", json=body)
        assert literal.text == '{"predictions":[1.5,NaN,Infinity]}'
    finally:
        served.stop()

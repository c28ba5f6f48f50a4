"""Answers in the form that a client accepts, read back by the libraries that made the format."""

from __future__ import annotations

import io
import json
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet
from sklearn.linear_model import LinearRegression, LogisticRegression
from support.direct_model import application, direct, post

from polyhost.data.target import Target, TargetType
from polyhost.server.app import Application
from polyhost.settings import ServerSettings

FRAME = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": [0.5, -1.0, 2.0, 0.0]})
LABELS = ("yes", "no")
SHORT = LogisticRegression().fit(FRAME, ["no", "yes", "no", "yes"])
LINE = LinearRegression().fit(FRAME, [1.0, 2.0, 4.0, 8.0])
PREDICTED = LINE.predict(FRAME)
CSV = FRAME.to_csv(index=False)
THREE = FRAME[:3].to_csv(index=False)
SPLIT = {"dataframe_split": FRAME.to_dict("split")}
STREAM, FILE = "application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.file"
PARQUET, LINES = "application/vnd.apache.parquet", "application/jsonlines"
EXTRA = """
import pandas as pd

def load_model(code_dir):
    return 1

def score(data, model, **kwargs):
    return pd.DataFrame({"Predictions": [1.5, float("nan"), float("inf")][: len(data)],
                         "why": ["a", None, "b\\u00e9"][: len(data)]})
"""
DOUBLES = """
def load_model(code_dir):
    return 1

def transform(data, model):
    return data * 2
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Application]:
    folder = tmp_path_factory.mktemp("models")
    found = {
        "line": direct(folder / "line", LINE),
        "classes": direct(folder / "classes", SHORT, Target(TargetType.BINARY, LABELS)),
        "extra": direct(folder / "extra", EXTRA),
        "double": direct(folder / "double", DOUBLES, TargetType.TRANSFORM),
    }
    return {name: application(model) for name, model in found.items()}


def table(reply: httpx.Response) -> pd.DataFrame:
    """What the libraries of each format read of an answer."""
    assert reply.status_code == 200, reply.text
    kind = reply.headers["content-type"]
    body = io.BytesIO(reply.content)
    if kind == STREAM:
        return pa.ipc.open_stream(body).read_pandas()
    if kind == FILE:
        return pa.ipc.open_file(body).read_pandas()
    if kind == PARQUET:
        return parquet.read_table(body).to_pandas()
    assert kind == "text/csv; charset=utf-8; header=present"
    return pd.read_csv(body)


@pytest.mark.parametrize("path", ["/predict/", "/invocations", "/models/m/invocations"])
@pytest.mark.parametrize("accept", [STREAM, FILE, PARQUET, "text/csv; header=present"])
def test_predictions(models: dict[str, Application], path: str, accept: str) -> None:
    found = table(post(models["line"], path, CSV, content_type="text/csv", accept=accept))
    np.testing.assert_array_equal(found["Predictions"], PREDICTED)


@pytest.mark.parametrize("accept", [STREAM, FILE, PARQUET, "text/csv"])
def test_probabilities(models: dict[str, Application], accept: str) -> None:
    found = table(post(models["classes"], "/predict/", SPLIT, accept=accept))
    expected = SHORT.predict_proba(FRAME)
    assert list(found.columns) == ["no", "yes"]
    np.testing.assert_array_equal(found.to_numpy(), expected)


@pytest.mark.parametrize("accept", [STREAM, PARQUET, "text/csv"])
def test_extra_output_stands_beside_the_predictions(
    models: dict[str, Application], accept: str
) -> None:
    found = table(post(models["extra"], "/predict/", THREE, content_type="text/csv", accept=accept))
    assert list(found.columns) == ["Predictions", "why"]
    np.testing.assert_array_equal(found["Predictions"], [1.5, np.nan, np.inf])
    assert found["why"].fillna("-").tolist() == ["a", "-", "bé"]


def test_one_column_of_csv_has_no_header(models: dict[str, Application]) -> None:
    reply = post(models["line"], "/predict/", SPLIT, accept="text/csv")
    assert reply.headers["content-type"] == "text/csv; charset=utf-8; header=absent"
    assert reply.text.splitlines() == [repr(value) for value in PREDICTED.tolist()]


def test_json_lines(models: dict[str, Application]) -> None:
    lines = "\n".join(json.dumps(row) for row in FRAME.to_dict("records")) + "\n"
    reply = post(models["line"], "/invocations", lines, content_type=LINES)
    assert reply.headers["content-type"] == LINES
    assert [json.loads(line) for line in reply.text.splitlines()] == PREDICTED.tolist()
    reply = post(models["classes"], "/invocations", "[1, 0.5]\n\n[2, -1]", content_type=LINES)
    expected = SHORT.predict_proba(FRAME[:2])
    found = [json.loads(line) for line in reply.text.splitlines()]
    assert found == [dict(zip(["no", "yes"], row, strict=True)) for row in expected.tolist()]
    reply = post(models["line"], "/predict/", "[1, 2]\n{", content_type=LINES)
    assert reply.status_code == 422
    assert "line 2: the body is not valid JSON" in reply.json()["message"]


def test_what_is_not_finite_is_null_in_json_lines(models: dict[str, Application]) -> None:
    reply = post(models["extra"], "/predict/", THREE, content_type="text/csv", accept=LINES)
    assert [json.loads(line) for line in reply.text.splitlines()] == [
        {"Predictions": 1.5, "why": "a"},
        {"Predictions": None, "why": None},
        {"Predictions": None, "why": "bé"},
    ]


@pytest.mark.parametrize("kind", [STREAM, FILE, PARQUET, "application/x-apache-arrow-stream"])
def test_bodies_of_columns(models: dict[str, Application], kind: str) -> None:
    sink = io.BytesIO()
    rows = pa.Table.from_pandas(FRAME)
    if kind == PARQUET:
        parquet.write_table(rows, sink)
    else:
        opened = pa.ipc.new_file if kind == FILE else pa.ipc.new_stream
        with opened(sink, rows.schema) as writer:
            writer.write_table(rows)
    reply = post(models["line"], "/invocations", sink.getvalue(), content_type=kind)
    assert reply.json() == {"predictions": PREDICTED.tolist()}


@pytest.mark.parametrize("accept", [STREAM, PARQUET, "text/csv"])
def test_transforms(models: dict[str, Application], accept: str) -> None:
    found = table(
        post(models["double"], "/transform/", CSV, content_type="text/csv", accept=accept)
    )
    pd.testing.assert_frame_equal(found, FRAME * 2)


def test_transforms_are_forms_where_nothing_is_asked(models: dict[str, Application]) -> None:
    reply = post(models["double"], "/transform/", CSV, content_type="text/csv", accept="*/*")
    assert reply.headers["content-type"].startswith("multipart/form-data; boundary=")


def test_what_cannot_be_had_is_406(models: dict[str, Application]) -> None:
    reply = post(models["line"], "/predict/", CSV, content_type="text/csv", accept="image/png")
    assert reply.status_code == 406
    assert "expected one of application/json, text/csv" in reply.json()["message"]


def test_a_type_that_is_not_known_is_415_on_invocations(models: dict[str, Application]) -> None:
    reply = post(models["line"], "/invocations", CSV, content_type="application/xml")
    assert reply.status_code == 415
    assert post(models["line"], "/predict/", CSV, content_type="application/xml").status_code == 422


def test_drums_own_server_disregards_it(tmp_path: Path) -> None:
    app = application(direct(tmp_path / "m", LINE), settings=ServerSettings(drum=True))
    reply = post(app, "/predict/", CSV, content_type="text/csv", accept="image/png")
    assert reply.json() == {"predictions": PREDICTED.tolist()}


# Rows without names


ROWS = FRAME.to_numpy().tolist()


@pytest.mark.parametrize(
    "body",
    [
        {"instances": ROWS},
        {"inputs": ROWS},
        ROWS,
        {"instances": FRAME.to_dict("records")},
        {"inputs": {"b": FRAME["b"].tolist(), "a": FRAME["a"].tolist()}},
    ],
)
@pytest.mark.parametrize("path", ["/predict/", "/invocations"])
def test_rows_in_json(models: dict[str, Application], path: str, body: object) -> None:
    assert post(models["line"], path, body).json() == {"predictions": PREDICTED.tolist()}


def test_rows_of_another_width_are_refused(models: dict[str, Application]) -> None:
    reply = post(models["line"], "/invocations", [[1, 2, 3]])
    assert reply.status_code == 400
    assert "3 cell(s) each: expected 2, the model's columns in their order (a, b)" in reply.text


BARE = FRAME.to_csv(index=False, header=False)


def test_csv_without_a_header(models: dict[str, Application]) -> None:
    expected = {"predictions": PREDICTED.tolist()}
    for path in ("/predict/", "/invocations"):
        reply = post(models["line"], path, BARE, content_type="text/csv; header=absent")
        assert reply.json() == expected
    assert post(models["line"], "/invocations", BARE, content_type="text/csv").json() == expected
    one = post(models["line"], "/invocations", BARE.splitlines()[0], content_type="text/csv")
    assert one.json() == {"predictions": PREDICTED[:1].tolist()}


def test_csv_with_a_header_of_numbers(tmp_path: Path) -> None:
    unnamed = LinearRegression().fit(FRAME.to_numpy(), [1.0, 2.0, 4.0, 8.0])
    app = application(direct(tmp_path / "m", unnamed))
    headed = "0,1\n" + BARE
    for body in (headed, BARE):
        reply = post(app, "/invocations", body, content_type="text/csv")
        assert reply.json() == {"predictions": unnamed.predict(FRAME.to_numpy()).tolist()}
    named = LinearRegression().fit(FRAME.set_axis(["2001", "2002"], axis=1), [1.0, 2.0, 4.0, 8.0])
    app = application(direct(tmp_path / "years", named))
    reply = post(app, "/invocations", "2002,2001\n0.5,1\n", content_type="text/csv")
    assert reply.json() == {"predictions": PREDICTED[:1].tolist()}


def test_a_header_is_not_guessed_elsewhere(models: dict[str, Application]) -> None:
    assert post(models["line"], "/predict/", BARE, content_type="text/csv").status_code == 422


# The form of MLflow 1


RECORDS = FRAME.to_dict("records")
OLD = "application/json; format=pandas-records"


def test_bare_records_are_answered_by_a_bare_list(models: dict[str, Application]) -> None:
    body = json.dumps(RECORDS)
    for kind in (OLD, "application/json"):
        found = post(models["line"], "/invocations", body, content_type=kind).json()
        assert found == PREDICTED.tolist()
        found = post(models["classes"], "/invocations", body, content_type=kind).json()
        assert found == SHORT.predict(FRAME).tolist()
    assert post(models["line"], "/predict/", RECORDS).json() == {"predictions": PREDICTED.tolist()}


def test_mindsdb_asks_without_a_body_first(models: dict[str, Application]) -> None:
    assert post(models["line"], "/invocations", b"").status_code == 400

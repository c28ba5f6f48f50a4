"""DRUM's dialect over real Python models, in this process."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.sparse import random as random_sparse
from sklearn.linear_model import LinearRegression, LogisticRegression

from polyhost.codecs import Answer, Request
from polyhost.codecs.dispatch import answer, answer_many
from polyhost.data.payload import SparseTable, Table
from polyhost.data.target import Target, TargetType
from polyhost.errors import (
    InvalidInput,
    InvalidOutput,
    SchemaMismatch,
    SettingsError,
    UnsupportedContentType,
    WrongEndpoint,
)
from polyhost.formats import multipart, sparse
from polyhost.pipeline.pipeline import open_predictor
from polyhost.predictor import ModelSpec

JSON = "application/json"
VALUE = Target(TargetType.REGRESSION)
FRAME = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": [0.5, -1.0, 2.0, 0.0]})
MODEL = LogisticRegression().fit(FRAME, ["no", "yes", "no", "yes"])


@pytest.fixture
def opened(tmp_path):
    """Open a code dir made of a custom file's text or of a model."""
    predictors = []

    def open_with(content, target=VALUE, **options):
        folder = tmp_path / str(len(predictors))
        folder.mkdir()
        custom = artifacts = None
        if isinstance(content, str):
            custom = Path("custom.py")
            (folder / custom).write_text(content, encoding="utf-8")
        else:
            artifacts = (Path("model.pkl"),)
            (folder / "model.pkl").write_bytes(pickle.dumps(content))
        spec = ModelSpec(folder, "python", target, custom, artifacts or (), options)
        predictors.append(open_predictor(spec))
        return predictors[-1]

    yield open_with
    for predictor in predictors:
        predictor.close()


@pytest.fixture
def classifier(opened):
    return opened(MODEL, Target(TargetType.BINARY, ("yes", "no")))


def split(frame: pd.DataFrame) -> bytes:
    return json.dumps({"dataframe_split": frame.to_dict("split")}).encode()


def predict(predictor, body, content_type="", **options):
    found = answer(predictor, Request("predict", "drum", content_type, options=options), body)
    assert (found.content_type, found.status) == (JSON, 200)
    return json.loads(found.body)


def expected(frame: pd.DataFrame = FRAME) -> dict:
    rows = MODEL.predict_proba(frame).tolist()
    return {"predictions": [{"no": no, "yes": yes} for no, yes in rows]}


def form(*parts: multipart.FormPart) -> tuple[bytes, str]:
    return multipart.encode(parts)


# Inputs


@pytest.mark.parametrize(
    "content_type", ["", "text/csv", "text/plain; charset=latin-1", "TEXT/CSV"]
)
def test_csv(classifier, content_type):
    body = FRAME.to_csv(index=False).encode()
    assert predict(classifier, body, content_type) == expected()
    assert predict(classifier, memoryview(body), content_type) == expected()


def test_json_rows(classifier):
    assert predict(classifier, split(FRAME), JSON) == expected()
    records = json.dumps({"dataframe_records": FRAME.to_dict("records")}).encode()
    assert predict(classifier, records, "application/json; charset=utf-8") == expected()


def test_arrow(classifier):
    body = bytes(pa.ipc.serialize_pandas(FRAME))
    assert predict(classifier, body, "application/x-apache-arrow-stream") == expected()


@pytest.mark.parametrize("name", ["data.csv", "data.MTX", "data", None])
def test_a_form_part_is_csv_unless_its_name_says_otherwise(classifier, name):
    content = FRAME.to_csv(index=False).encode()
    body, content_type = form(multipart.FormPart("X", content, name, "application/json"))
    assert predict(classifier, body, content_type) == expected()


def test_a_form_part_of_arrow(classifier):
    part = multipart.FormPart("X", bytes(pa.ipc.serialize_pandas(FRAME)), "data.arrow")
    assert predict(classifier, *form(part)) == expected()


def test_a_sparse_form_part_with_its_names(opened):
    matrix = random_sparse(6, 3, density=0.5, random_state=1, format="csr")
    model = LinearRegression().fit(pd.DataFrame(matrix.toarray(), columns=list("xyz")), range(6))
    cells = matrix[:, [2, 0, 1]].tocoo()
    table = SparseTable(("z", "x", "y"), 6, (cells.row, cells.col, cells.data))
    body, content_type = form(
        multipart.FormPart("X", sparse.write(table), "data.mtx"),
        multipart.FormPart("X.colnames", b"z\nx\ny\n", "names"),
    )
    found = predict(opened(model), body, content_type)["predictions"]
    assert np.allclose(found, model.predict(pd.DataFrame(matrix.toarray(), columns=list("xyz"))))


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "text/csv"),
        (b"a=1", "application/x-www-form-urlencoded"),
        form(multipart.FormPart("Y", b"a\n1\n", "y.csv")),
        form(multipart.FormPart("X", b"", "x.csv")),
    ],
    ids=["empty", "urlencoded", "no X", "empty X"],  # a boundary is another in every process
)
def test_no_samples(classifier, body, content_type):
    with pytest.raises(InvalidInput) as raised:
        predict(classifier, body, content_type)
    assert raised.value.message == (
        "Samples should be provided as:   - a csv or mtx under `X` form-data param key.  "
        "- binary data"
    )


@pytest.mark.parametrize(
    ("body", "content_type", "kind"),
    [
        (b"x", "image/png", UnsupportedContentType),
        (b"{", JSON, InvalidInput),
        (b"[]", JSON, InvalidInput),
        (b"a,b\n1,2,3\n4,5,6,7\n", "text/csv", InvalidInput),
        (b"a,c\n1,2\n", "text/csv", SchemaMismatch),
        (b"a,b\n1,x\n", "text/csv", SchemaMismatch),
        (b"a,b\n1,\n", "text/csv", SchemaMismatch),
        (split(FRAME[["a"]]), JSON, SchemaMismatch),
        (b"x", "application/x-apache-arrow-stream", InvalidInput),
        (b"--b", "multipart/form-data", InvalidInput),
    ],
)
def test_bad_input_is_the_callers_mistake(classifier, body, content_type, kind):
    with pytest.raises(kind) as raised:
        predict(classifier, body, content_type)
    assert type(raised.value) is kind
    assert predict(classifier, split(FRAME), JSON) == expected()


def test_a_reader_hook_gets_any_body(opened):
    predictor = opened(
        """
import pandas as pd
def load_model(code_dir): return 1
def read_input_data(data): return data
def score(data, model, mimetype, binary_data):
    assert data == binary_data
    return pd.DataFrame({"Predictions": [len(data)], "type": [mimetype]})
"""
    )
    found = predict(predictor, b"{}", "image/png")
    assert found["predictions"] == [2.0]
    assert found["extraModelOutput"]["data"] == [["image/png"]]
    assert predict(predictor, b'{"x":1}', JSON)["predictions"] == [7.0]


# Batches


def test_a_batch_answers_each_as_if_alone(classifier):
    bodies = [split(FRAME[i : i + 1]) for i in range(4)]
    bodies += [split(FRAME[["b", "a"]]), split(FRAME[:0]), split(FRAME[1:3])]
    found = answer_many(classifier, Request("predict", "drum", JSON), bodies)
    frames = [*(FRAME[i : i + 1] for i in range(4)), FRAME, None, FRAME[1:3]]
    for one, frame in zip(found, frames, strict=True):
        if frame is not None:
            assert json.loads(one.body) == expected(frame)
    assert json.loads(found[5].body) if isinstance(found[5], Answer) else found[5]


def test_only_the_guilty_of_a_batch_fail(classifier):
    good = split(FRAME[:1])
    text = json.dumps({"dataframe_split": {"columns": ["a", "b"], "data": [["x", 1]]}}).encode()
    gap = json.dumps({"dataframe_split": {"columns": ["a", "b"], "data": [[None, 1]]}}).encode()
    found = answer_many(
        classifier, Request("predict", "drum", JSON), [good, b"{", text, good, gap, b"[]"]
    )
    kinds = [type(one) for one in found]
    assert kinds == [Answer, InvalidInput, SchemaMismatch, Answer, SchemaMismatch, InvalidInput]
    assert json.loads(found[3].body) == expected(FRAME[:1])


def test_a_batch_of_a_model_with_hooks_runs_singly(opened):
    predictor = opened(
        """
import pandas as pd
def load_model(code_dir): return 1
def score(data, model): return pd.DataFrame({"Predictions": [len(data)] * len(data)})
"""
    )
    bodies = [split(FRAME[:1]), split(FRAME), FRAME.to_csv(index=False).encode()]
    found = answer_many(predictor, Request("predict", "drum", JSON), bodies)
    assert [json.loads(one.body) for one in found[:2]] == [
        {"predictions": [1.0]},
        {"predictions": [4.0] * 4},
    ]
    assert isinstance(found[2], InvalidInput)


# Answers


def test_numbers_are_floats_in_full_and_nan_is_null(opened):
    predictor = opened(
        """
import pandas as pd
def load_model(code_dir): return 1
def score(data, model): return data[["Predictions"]]
"""
    )
    body = b"Predictions,x\n1,1\n0.12345678901234,1\n,1\ninf,1\n"
    assert predict(predictor, body) == {"predictions": [1.0, 0.12345678901234, None, None]}
    assert answer(predictor, Request("predict", "drum"), b"Predictions,x\n1,1\n").body == (
        b'{"predictions":[1.0]}'
    )
    assert predict(predictor, b'Predictions,x\n"1",1\n2.5,3\n') == {"predictions": [1.0, 2.5]}
    with pytest.raises(InvalidOutput, match="predictions must be numbers"):
        predict(predictor, b"Predictions,x\nlow,1\n")


def test_extra_output_is_split_with_the_hooks_own_index(opened):
    predictor = opened(
        """
import pandas as pd
def load_model(code_dir): return 1
def score(data, model):
    when = pd.to_datetime(["2024-01-01", None])
    return pd.DataFrame(
        {"why": ["é/", None], "Predictions": [1, 2], "w": [0.12345678901234, float("nan")],
         "when": when, "n": [3, 4]}, index=[5, 7])
"""
    )
    assert predict(predictor, b"a\n1\n2\n") == {
        "predictions": [1.0, 2.0],
        "extraModelOutput": {
            "columns": ["why", "w", "when", "n"],
            "index": [5, 7],
            "data": [["é/", 0.12345678901234, 1704067200000, 3], [None, None, None, 4]],
        },
    }


def test_text_answers_may_be_any_json(opened):
    predictor = opened(
        """
import pandas as pd
def load_model(code_dir): return 1
def score(data, model): return pd.DataFrame({"x": [{"k": [1]}, "text", None]})
""",
        Target(TargetType.VECTOR_DATABASE, name="x"),
    )
    assert predict(predictor, b"a\n1\n2\n3\n") == {"predictions": [{"k": [1]}, "text", None]}


def test_the_wrong_route_names_the_right_one(classifier, opened):
    hook = "def load_model(code_dir): return 1\n"
    text = opened(hook + "def score_unstructured(model, data): return data", target=UNSTRUCTURED)
    with pytest.raises(WrongEndpoint) as raised:
        predict(text, b"a\n1\n")
    assert raised.value.message == (
        "This model has target type 'unstructured', use the /predictUnstructured/ endpoint."
    )
    with pytest.raises(WrongEndpoint, match=r"'TargetType.BINARY', use the /predict/ endpoint"):
        answer(classifier, Request("unstructured", "drum"), b"")
    with pytest.raises(WrongEndpoint, match=r"TargetType.BINARY"):
        answer(classifier, Request("transform", "drum"), b"a\n1\n")


UNSTRUCTURED = Target(TargetType.UNSTRUCTURED)


def test_unknown_dialects_and_operations_are_told(classifier):
    with pytest.raises(SettingsError, match="unknown dialect 'x'"):
        answer(classifier, Request("predict", "x"), b"")
    with pytest.raises(SettingsError, match="unknown operation 'x'"):
        answer(classifier, Request("x", "drum"), b"")


# Unstructured


def test_what_an_unstructured_hook_is_told(opened):
    predictor = opened(
        """
import json
def load_model(code_dir): return "m"
def score_unstructured(model, data, **kwargs):
    kwargs["all"] = kwargs["query"].getlist("k")
    return json.dumps([model, data, kwargs], sort_keys=True), {"mimetype": "application/json"}
""",
        UNSTRUCTURED,
    )
    request = Request(
        "unstructured",
        "drum",
        "text/csv",
        query=(("k", "1"), ("k", "2")),
        headers={"content-type": "text/csv", "X-a": "b"},
    )
    found = answer(predictor, request, "é".encode())
    assert found.content_type == "application/json; charset=utf-8"
    assert json.loads(found.body) == [
        *("m", "é"),
        {
            "mimetype": "text/csv",
            "charset": "utf-8",
            "query": {"k": "1"},
            "all": ["1", "2"],
            "headers": {"Content-Type": "text/csv", "X-A": "b"},
        },
    ]
    batch = Request("unstructured", "drum", "", query=(("k", "1"), ("k", "2")))
    told = json.loads(answer(predictor, batch, b"").body)[2]
    assert told["query"] == {"k": "2"}
    assert "headers" not in told


# Transform


def test_a_transform_answers_a_form(opened):
    predictor = opened(
        """
def load_model(code_dir): return 10
def transform(data, model, y):
    assert y is None or list(y.columns) == ["target"]
    return (data * model).rename(columns={"a": " a\\nb "})
""",
        Target(TargetType.TRANSFORM),
    )
    y = b"target\n1\n2\n"
    body, kind = form(
        multipart.FormPart("X", b"a,c\n1,2\n3,\n", "x.csv"), multipart.FormPart("y", y)
    )
    found = answer(predictor, Request("transform", "drum", kind), body)
    parts = multipart.parse(found.content_type, found.body)
    assert {name: bytes(part.body) for name, part in parts.items()} == {
        "X.format": b"csv",
        "X.transformed": b"a\\nb,c\r\n10,20.0\r\n30,",
        "y.format": b"csv",
        "y.transformed": y,
    }


def test_a_sparse_transform_answers_matrix_market(opened):
    predictor = opened(
        """
import pandas as pd
def load_model(code_dir): return 1
def transform(data, model): return data.astype(pd.SparseDtype(float, 0.0))
""",
        Target(TargetType.TRANSFORM),
    )
    found = answer(predictor, Request("transform", "drum", ""), b"a,b\n0,2\n1,0\n")
    parts = multipart.parse(found.content_type, found.body)
    assert bytes(parts["X.format"].body) == b"sparse"
    assert bytes(parts["X.colnames"].body) == b"a\nb"
    table = sparse.read(parts["X.transformed"].body)
    assert np.column_stack(table.columns).tolist() == [[0, 2], [1, 0]]


def test_a_transformed_column_needs_a_name(opened):
    predictor = opened(
        "def load_model(d): return 1\ndef transform(x, m): return x.rename(columns={'a': ' '})",
        Target(TargetType.TRANSFORM),
    )
    with pytest.raises(InvalidOutput, match="a column without a name"):
        answer(predictor, Request("transform", "drum", ""), b"a,b\n0,2\n")


def test_a_header_without_rows_is_refused(opened):
    predictor = opened("def load_model(d): return 1\ndef score(x, m): return x[['a']]")
    for body in (b"a,b\n", b"a,b"):
        with pytest.raises(InvalidInput, match="the table has no rows"):
            predict(predictor, body)
    table = Table(["a"], [np.array([], float)])
    assert predictor.predict(table).predictions.rows == 0


def test_a_call_takes_no_more_rows_than_it_may(classifier, monkeypatch):
    bodies = [split(FRAME[:n]) for n in (2, 2, 1, 4, 1)]
    calls: list[int] = []
    whole = type(classifier).predict

    def counting(self, table):
        calls.append(table.rows)
        return whole(self, table)

    monkeypatch.setattr(type(classifier), "predict", counting)
    request = Request("predict", "drum", JSON, options={"call_rows": 4})
    found = answer_many(classifier, request, bodies)
    assert [json.loads(one.body) for one in found] == [expected(FRAME[:n]) for n in (2, 2, 1, 4, 1)]
    assert calls == [4, 1, 4, 1]

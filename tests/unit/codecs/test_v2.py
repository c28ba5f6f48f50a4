"""Open Inference V2 over real Python models, in this process."""

from __future__ import annotations

import base64
import json
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from polyhost.codecs import Request
from polyhost.codecs.dispatch import answer, answer_many
from polyhost.codecs.v2.datatypes import array_of, from_raw, to_raw
from polyhost.codecs.v2.message import Tensor
from polyhost.data.target import Target, TargetType
from polyhost.errors import InvalidInput, TooManyRows
from polyhost.pipeline.batching import attempt
from polyhost.pipeline.pipeline import open_predictor
from polyhost.predictor import ModelSpec

VALUE = Target(TargetType.REGRESSION)
FRAME = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": [0.5, -1.0, 2.0, 0.0]})
CLASSES = LogisticRegression().fit(FRAME, ["x", "z", "y", "z"])
NUMBERS = LinearRegression().fit(FRAME, [1.0, 5.0, 2.0, 8.0])
THREE = Target(TargetType.MULTICLASS, ("z", "y", "x"))
ECHO = """
import pandas as pd
def load_model(code_dir):
    return 1
def score(data, model, **kwargs):
    kinds = {name: kind if kind.kind in "biufM" else "object" for name, kind in data.dtypes.items()}
    shown = [f"{name} {kind} {data[name].tolist()}" for name, kind in kinds.items()]
    return pd.DataFrame({"Predictions": ["; ".join(shown)] * len(data)})
"""
TEXT = Target(TargetType.TEXT_GENERATION, name="Predictions")


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Open a code dir made of a custom file's text or of a model; the same ones only once."""
    predictors: dict[Any, Any] = {}

    def open_with(content: Any, target: Target = VALUE) -> Any:
        key = (content if isinstance(content, str) else id(content), target)
        if key not in predictors:
            folder = tmp_path_factory.mktemp("model")
            custom, artifacts = None, ()
            if isinstance(content, str):
                custom = Path("custom.py")
                (folder / custom).write_text(content, encoding="utf-8")
            else:
                artifacts = (Path("model.pkl"),)
                (folder / "model.pkl").write_bytes(pickle.dumps(content))
            spec = ModelSpec(folder, "python", target, custom, artifacts, {})
            predictors[key] = open_predictor(spec)
        return predictors[key]

    yield open_with
    for predictor in predictors.values():
        predictor.close()


def request(op: str = "predict", **options: Any) -> Request:
    return Request(op, "v2", options={"model": "m", "version": "1", **options})


def tensor(name: str, datatype: str, shape: list[int], data: Any, **parameters: Any) -> Any:
    found = {"name": name, "datatype": datatype, "shape": shape, "data": data}
    return {**found, "parameters": parameters} if parameters else found


def body(*inputs: Any, **more: Any) -> bytes:
    return json.dumps({"inputs": inputs, **more}).encode()


def infer(predictor: Any, *inputs: Any, **more: Any) -> Any:
    return json.loads(answer(predictor, request(), body(*inputs, **more)).body)


def values(predictor: Any, *inputs: Any, **more: Any) -> Any:
    return infer(predictor, *inputs, **more)["outputs"][0]["data"]


ROWS = tensor("x", "FP64", [4, 2], FRAME.to_numpy().ravel().tolist())


def test_a_matrix_goes_by_position_and_columns_by_name(opened: Any) -> None:
    expected = NUMBERS.predict(FRAME).tolist()
    model = opened(NUMBERS)
    b = tensor("b", "FP32", [4, 1], FRAME["b"].tolist())
    a = tensor("a", "INT32", [4], [1, 2, 3, 4])
    assert values(model, ROWS) == pytest.approx(expected)
    assert values(model, b, a, tensor("c", "BYTES", [4], ["u"] * 4)) == pytest.approx(expected)
    nested = tensor("x", "FP64", [4, 2], FRAME.to_numpy().tolist())
    assert values(model, nested) == pytest.approx(expected)
    one = infer(model, ROWS, id="i-1", parameters={"content_type": "np"})
    assert one == {
        "model_name": "m",
        "model_version": "1",
        "id": "i-1",
        "parameters": {"content_type": "np"},
        "outputs": [
            {
                "name": "predict",
                "datatype": "FP64",
                "shape": [4],
                "parameters": {"content_type": "np"},
                "data": pytest.approx(expected),
            }
        ],
    }


def test_labels_and_probabilities_are_those_of_the_library(opened: Any) -> None:
    model = opened(CLASSES, THREE)
    wanted = [{"name": "predict_proba"}, {"name": "predict"}]
    found = infer(model, ROWS, outputs=wanted)["outputs"]
    assert [output["name"] for output in found] == ["predict_proba", "predict"]
    assert found[0]["shape"] == [4, 3]
    assert found[0]["data"] == pytest.approx(CLASSES.predict_proba(FRAME).ravel().tolist())
    assert json.loads(found[0]["parameters"]["classes"]) == CLASSES.classes_.tolist()
    assert found[1]["datatype"] == "BYTES"
    assert found[1]["data"] == CLASSES.predict(FRAME).tolist()
    assert values(model, ROWS) == CLASSES.predict(FRAME).tolist()


def test_half_is_the_class_that_the_library_says(opened: Any) -> None:
    even = LogisticRegression().fit(pd.DataFrame({"a": [0.0, 0.0]}), ["yes", "no"])
    assert even.predict_proba(pd.DataFrame({"a": [0.0]})).tolist() == [[0.5, 0.5]]
    model = opened(even, Target(TargetType.BINARY, ("yes", "no")))
    expected = even.predict(pd.DataFrame({"a": [0.0]})).tolist()
    assert values(model, tensor("a", "FP64", [1], [0])) == expected


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        (
            "exact",
            tensor("a", "INT64", [2], [2**63 - 1, -(2**63)]),
            f"int64 {[2**63 - 1, -(2**63)]}",
        ),
        ("unsigned", tensor("a", "UINT64", [1], [2**64 - 1]), f"uint64 {[2**64 - 1]}"),
        ("small", tensor("a", "INT8", [2], [-128, 127]), "int8 [-128, 127]"),
        ("bool", tensor("a", "BOOL", [3], [True, False, 1]), "bool [True, False, True]"),
        ("missing", tensor("a", "FP64", [2], [None, 1]), "float64 [nan, 1.0]"),
        ("single", tensor("a", "FP32", [1], [0.1]), "float32 [0.10000000149011612]"),
        ("half", tensor("a", "FP16", [1], [0.5]), "float32 [0.5]"),
        ("brain", tensor("a", "BF16", [1], [1.5]), "float32 [1.5]"),
        ("texts", tensor("a", "BYTES", [2], ["NA", "01"]), "object ['NA', '01']"),
        ("none", tensor("a", "BYTES", [2], ["é", None]), "object ['é', nan]"),
        ("base64", tensor("a", "BYTES", [1], ["w6k="], content_type="base64"), "object ['é']"),
        (
            "cells",
            tensor("a", "BYTES", [2], ['{"k": 1}', "null"], content_type="pd_json"),
            "object [{'k': 1}, nan]",
        ),
        (
            "times",
            tensor("a", "BYTES", [1], ["2024-05-31T12:00:00"], content_type="datetime"),
            "datetime64[us] [Timestamp('2024-05-31 12:00:00')]",
        ),
    ],
)
def test_every_datatype_reaches_the_model_as_it_is(
    opened: Any, name: str, given: Any, expected: str
) -> None:
    model = opened(ECHO, TEXT)
    found = values(model, given, parameters={"content_type": "pd"})
    assert found[0] == f"a {expected}"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (b"{", "not valid JSON"),
        (b"[1]", "no JSON object"),
        (b"{}", "no 'inputs'"),
        (body(), "no 'inputs'"),
        (body({"name": "x"}), "no 'datatype'"),
        (body(tensor("x", "FP65", [1], [1])), "'FP65' is unknown"),
        (body(tensor("x", "FP64", [1, 3], [1])), "1 element(s): expected 3"),
        (body(tensor("x", "FP64", [2, 2], [[1, 2, 3], [4]])), "different lengths"),
        (body(tensor("x", "FP64", [2, 3], [[1, 2], [3, 4], [5, 6]])), "nested to the shape"),
        (body(tensor("x", "FP64", [1, 2], ["1", "2"])), "holds '1' at 0: expected numbers"),
        (body(tensor("x", "FP64", [1, 2], [True, 2])), "holds True at 0"),
        (body(tensor("x", "INT8", [1, 2], [1, 128])), "INT8 has not"),
        (body(tensor("x", "INT64", [1, 2], [1, 2**63])), "INT64 has not"),
        (body(tensor("x", "INT64", [1, 2], [1, 1.5])), "holds 1.5 at 1: expected whole"),
        (body(tensor("x", "INT64", [1, 2], [1, None])), "holds None at 1"),
        (body(tensor("x", "FP32", [1, 2], [1, 1e39])), "FP32 has not"),
        (body(tensor("x", "FP64", [0, 2], [])), "holds no rows"),
        (body(tensor("x", "FP64", [3], [1, 2, 3])), "takes 2 column(s)"),
        (body(tensor("x", "FP64", [1, 3], [1, 2, 3])), "takes 2 column(s)"),
        (
            body(tensor("a", "FP64", [1], [1]), tensor("b", "FP64", [2], [1, 2])),
            "different numbers",
        ),
        (body(tensor("a", "FP64", [1], [1]), tensor("a", "FP64", [1], [1])), "stands twice"),
        (body(tensor("a", "FP64", [1], [1]), tensor("z", "FP64", [1], [1])), "'b' are missing"),
        (body(ROWS, outputs=[{"name": "z"}]), "no output 'z': expected one of predict"),
        (body(ROWS, id=3), "'id' must be text"),
        (body({**ROWS, "parameters": {"shared_memory_region": "r"}}), "shared memory"),
    ],
)
def test_what_is_wrong_is_named(opened: Any, given: bytes, text: str) -> None:
    with pytest.raises(InvalidInput) as error:
        answer(opened(NUMBERS), request(), given)
    assert text in error.value.message


def test_rows_are_limited(opened: Any) -> None:
    with pytest.raises(TooManyRows):
        answer(opened(NUMBERS), request(max_rows=3), body(ROWS))


def test_binary_tensors_follow_the_json(opened: Any) -> None:
    data = FRAME.to_numpy().astype("<f8").tobytes()
    head = json.dumps(
        {
            "inputs": [{**ROWS, "data": None, "parameters": {"binary_data_size": len(data)}}],
            "outputs": [
                {"name": "predict", "parameters": {"binary_data": True}},
                {"name": "predict_proba", "parameters": {"binary_data": False}},
            ],
        }
    ).encode()
    model = opened(CLASSES, THREE)
    found = answer(model, request(header=str(len(head))), head + data)
    size = int(found.headers["Inference-Header-Content-Length"])
    written, raw = json.loads(found.body[:size]), found.body[size:]
    assert found.content_type == "application/octet-stream"
    expected = CLASSES.predict(FRAME).tolist()
    assert raw == b"".join(struct.pack("<I", 1) + label.encode() for label in expected)
    assert written["outputs"][0]["parameters"]["binary_data_size"] == len(raw)
    assert "data" not in written["outputs"][0]
    assert written["outputs"][1]["data"] == pytest.approx(
        CLASSES.predict_proba(FRAME).ravel().tolist()
    )
    for wrong in (head + data + b"x", head + data[:-1], head):
        with pytest.raises(InvalidInput):
            answer(model, request(header=str(len(head))), wrong)
    with pytest.raises(InvalidInput, match="Inference-Header-Content-Length"):
        answer(model, request(header="1e3"), head + data)


@pytest.mark.parametrize(
    "kind", ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"]
)
def test_raw_bytes_are_little_endian_arrays(kind: str) -> None:
    array = np.array([[0, 1], [1, 0], [1, 1]], np.dtype(kind))
    names = {"?": "BOOL", "f": "FP", "i": "INT", "u": "UINT"}
    name = names[kind[0]] + ("" if kind == "?" else str(8 * array.itemsize))
    raw = array.astype(array.dtype.newbyteorder("<")).tobytes()
    found = from_raw("x", name, (3, 2), raw)
    assert found.dtype == array.dtype
    assert found.tolist() == array.ravel().tolist()
    assert to_raw(name, array) == raw
    assert array_of(Tensor("x", name, (3, 2), array.ravel().tolist())).tolist() == found.tolist()


def test_bytes_and_brain_floats_in_the_raw_form() -> None:
    assert from_raw("x", "BF16", (2,), b"\xc0\x3f\x00\xc0").tolist() == [1.5, -2.0]
    raw = struct.pack("<I", 2) + b"ab" + struct.pack("<I", 0)
    assert from_raw("x", "BYTES", (2,), raw).tolist() == [b"ab", b""]
    for cut in (raw[:-1], raw[:5]):
        with pytest.raises(InvalidInput, match="ends within"):
            from_raw("x", "BYTES", (2,), cut)


def test_what_json_cannot_hold_is_null_there_and_itself_in_the_raw_form(opened: Any) -> None:
    model = opened(
        """
import pandas as pd
def load_model(code_dir):
    return 1
def score(data, model, **kwargs):
    return pd.DataFrame({"Predictions": [float("nan"), float("inf")]})
"""
    )
    two = tensor("a", "FP64", [2], [1, 2])
    assert values(model, two, parameters={"content_type": "pd"}) == [None, None]
    given = body(two, parameters={"content_type": "pd", "binary_data_output": True})
    found = answer(model, request(), given)
    size = int(found.headers["Inference-Header-Content-Length"])
    np.testing.assert_array_equal(np.frombuffer(found.body[size:], "<f8"), [np.nan, np.inf])


def test_a_batch_answers_each_as_if_alone(opened: Any) -> None:
    model = opened(CLASSES, THREE)
    matrix = body(tensor("x", "FP64", [1, 2], [1, 2]), id="a")
    columns = [tensor("b", "INT64", [2], [3, 1]), tensor("a", "FP64", [2], [0, 9])]
    asked = body(*columns, outputs=[{"name": "predict_proba"}], id="b")
    wrong = body(tensor("x", "FP64", [1, 2], [1]))
    text = body(tensor("x", "FP64", [1, 2], ["1", "2"]))
    unknown = body(tensor("x", "FP64", [1, 2], [1, 2]), outputs=[{"name": "z"}])
    bodies = [matrix, asked, wrong, text, matrix, asked, unknown, body(ROWS)]
    found = answer_many(model, request(), bodies)
    for given, one in zip(bodies, found, strict=True):
        alone = attempt(lambda given: answer(model, request(), given), given)
        if isinstance(one, Exception):
            assert (type(one), str(one)) == (type(alone), str(alone))
            continue
        assert not isinstance(alone, Exception)
        together, expected = json.loads(one.body), json.loads(alone.body)
        for output, other in zip(together["outputs"], expected["outputs"], strict=True):
            data = other.pop("data")
            assert output.pop("data") == (
                data if output["datatype"] == "BYTES" else pytest.approx(data)
            )
        assert together == expected
    failed = [i for i, one in enumerate(found) if isinstance(one, Exception)]
    assert failed == [2, 3, 6]


def test_an_unstructured_model_takes_one_element_as_its_body(opened: Any) -> None:
    code = """
def load_model(code_dir):
    return 1
def score_unstructured(model, data, query, **kwargs):
    return data[::-1]
"""
    model = opened(code, Target(TargetType.UNSTRUCTURED))
    asked = Request("unstructured", "v2", headers={}, options={"model": "m", "version": "1"})
    for given, expected in [
        (tensor("b", "BYTES", [1], ["abc"]), "cba"),
        (
            tensor(
                "b",
                "BYTES",
                [1, 1],
                [base64.b64encode(b"\xff\x00").decode()],
                content_type="base64",
            ),
            "AP8=",
        ),
    ]:
        output = json.loads(answer(model, asked, body(given)).body)["outputs"][0]
        assert (output["name"], output["datatype"], output["shape"]) == ("predict", "BYTES", [1])
        assert output["data"] == [expected]
    assert output["parameters"]["content_type"] == "base64"
    with pytest.raises(InvalidInput, match="expected one, which is the body"):
        answer(model, asked, body(tensor("b", "BYTES", [2], ["a", "b"])))


def test_the_metadata_tell_a_client_what_to_send(opened: Any) -> None:
    model = opened(CLASSES, THREE)
    found = json.loads(answer(model, request("metadata"), b"").body)
    assert found == {
        "name": "m",
        "versions": ["1"],
        "platform": "scikit-learn_python",
        "inputs": [
            {"name": "a", "datatype": "FP64", "shape": [-1]},
            {"name": "b", "datatype": "FP64", "shape": [-1]},
        ],
        "outputs": [
            {
                "name": "predict",
                "datatype": "BYTES",
                "shape": [-1],
                "parameters": {"content_type": "str"},
            },
            {
                "name": "predict_proba",
                "datatype": "FP64",
                "shape": [-1, 3],
                "parameters": {"classes": '["x", "y", "z"]'},
            },
        ],
    }

"""KServe's V1 protocol over real Python models, in this process."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from polyhost.codecs import Request
from polyhost.codecs.dispatch import answer, answer_many
from polyhost.data.target import Target, TargetType
from polyhost.errors import InvalidInput, TooManyRows
from polyhost.pipeline.pipeline import open_predictor
from polyhost.predictor import ModelSpec

FRAME = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": [0.5, -1.0, 2.0, 0.0]})
NUMBERS = LinearRegression().fit(FRAME, [1.0, 5.0, 2.0, 8.0])
CLASSES = LogisticRegression().fit(FRAME, ["x", "z", "y", "z"])
EVENT = {"binary": False, "type": "", "source": "", "merge": False}


def opened(folder: Path, model: Any, target: Target) -> Any:
    (folder / "model.pkl").write_bytes(pickle.dumps(model))
    return open_predictor(ModelSpec(folder, "python", target, None, (Path("model.pkl"),), {}))


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    model = opened(tmp_path_factory.mktemp("m"), NUMBERS, Target(TargetType.REGRESSION))
    yield model
    model.close()


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    target = Target(TargetType.MULTICLASS, ("z", "y", "x"))
    model = opened(tmp_path_factory.mktemp("m"), CLASSES, target)
    yield model
    model.close()


def request(**options: Any) -> Request:
    return Request("predict", "kserve", options={"model": "m", "strict_rows": True, **options})


def predictions(model: Any, **body: Any) -> Any:
    return json.loads(answer(model, request(), json.dumps(body).encode()).body)["predictions"]


def test_instances_in_every_form(numbers: Any) -> None:
    expected = pytest.approx(NUMBERS.predict(FRAME.iloc[:2]).tolist())
    assert predictions(numbers, instances=[[1, 0.5], [2, -1]]) == expected
    assert predictions(numbers, instances=[{"b": 0.5, "a": 1}, {"a": "2", "b": -1}]) == expected
    assert predictions(numbers, instances=[{"b": [0.5, -1], "a": [1, 2], "c": [0, 0]}]) == expected
    two = [{"b": [0.5], "a": [1]}, {"b": -1, "a": 2}]
    assert predictions(numbers, instances=two, signature_name="serving_default") == expected
    assert predictions(numbers, inputs=[[1, 0.5], [2, -1]], instances=[[9, 9]]) == expected


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"rows": []}, 'no "instances"'),
        ([1], "no JSON object"),
        ({"instances": []}, "no rows"),
        ({"instances": [[1]]}, "2"),
        ({"instances": [[1, 2], {"a": 1}]}, "mixes"),
        ({"instances": [{"a": 1}]}, "'b'"),
        ({"instances": [{"a": [1, 2], "b": [1]}]}, "different lengths"),
        ({"instances": [["x", 2]]}, "a"),
        ({"instances": [[1, 2]], "parameters": 3}, "'parameters'"),
    ],
)
def test_what_is_wrong_is_named(numbers: Any, body: Any, text: str) -> None:
    with pytest.raises(InvalidInput) as error:
        answer(numbers, request(), json.dumps(body).encode())
    assert text in error.value.message


def test_rows_are_limited(numbers: Any) -> None:
    with pytest.raises(TooManyRows):
        answer(numbers, request(max_rows=1), b'{"instances": [{"a": [1, 2], "b": [1, 2]}]}')


def test_probabilities_where_they_are_asked_for(classes: Any) -> None:
    rows = FRAME.to_numpy().tolist()
    found = predictions(classes, instances=rows, parameters={"return_proba": True})
    assert [row.pop("label") for row in found] == CLASSES.predict(FRAME).tolist()
    expected = [
        dict(zip(CLASSES.classes_, row, strict=True)) for row in CLASSES.predict_proba(FRAME)
    ]
    assert [pytest.approx(row) for row in expected] == found
    assert predictions(classes, instances=rows) == CLASSES.predict(FRAME).tolist()


def test_a_batch_answers_each_as_if_alone(classes: Any) -> None:
    proba = {"instances": [[1, 2]], "parameters": {"return_proba": True}}
    bodies = [
        {"instances": [[1, 2]]},
        proba,
        {"instances": [[1]]},
        {"instances": [[3, 4], [5, 6]]},
        proba,
    ]
    data = [json.dumps(body).encode() for body in bodies]
    found = answer_many(classes, request(), data)
    assert isinstance(found.pop(2), InvalidInput)
    data.pop(2)
    for one, given in zip(found, data, strict=True):
        assert not isinstance(one, Exception)
        alone = json.loads(answer(classes, request(), given).body)["predictions"]
        together = json.loads(one.body)["predictions"]
        assert len(together) == len(alone)
        for row, other in zip(together, alone, strict=True):
            assert row == other if isinstance(row, str) else row.keys() == other.keys()


def structured(**more: Any) -> bytes:
    event = {"specversion": "1.0", "id": "one", "source": "s", "type": "t", "extra": "kept"}
    return json.dumps({**event, "data": {"instances": [[1, 0.5]]}, **more}).encode()


def test_an_operator_may_say_what_events_are_called(numbers: Any) -> None:
    named = {**EVENT, "type": "my.type", "source": "my/source", "merge": True}
    found = answer(numbers, request(event=named), structured())
    event = json.loads(found.body)
    assert found.content_type == "application/cloudevents+json"
    assert (event["type"], event["source"], event["extra"]) == ("my.type", "my/source", "kept")
    assert event["id"] != "one"
    plain = json.loads(answer(numbers, request(event=EVENT), structured()).body)
    assert "extra" not in plain
    expected = NUMBERS.predict(FRAME.iloc[:1]).tolist()
    assert plain["data"] == {"predictions": pytest.approx(expected)}


def test_the_data_of_an_event_may_be_in_base64(numbers: Any) -> None:
    body = structured(data_base64="eyJpbnN0YW5jZXMiOiBbWzEsIDAuNV1dfQ==")
    with_data = json.loads(answer(numbers, request(event=EVENT), structured()).body)["data"]
    assert json.loads(answer(numbers, request(event=EVENT), body).body)["data"] == with_data


def test_a_header_holds_any_attribute(numbers: Any) -> None:
    attributes = {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "who": "Zoë"}
    event = {**EVENT, "binary": True, "merge": True, "attributes": attributes}
    found = answer(numbers, request(event=event), b'{"instances": [[1, 0.5]]}')
    assert found.headers["ce-who"] == "Zo%C3%AB"
    assert found.headers["ce-specversion"] == "1.0"


@pytest.mark.parametrize("lacking", ["specversion", "id", "source", "type"])
def test_an_event_has_all_attributes(numbers: Any, lacking: str) -> None:
    with pytest.raises(InvalidInput, match=lacking):
        answer(numbers, request(event=EVENT), structured(**{lacking: ""}))
    with pytest.raises(InvalidInput, match="specversion"):
        answer(numbers, request(event=EVENT), structured(specversion="2.0"))

"""What the OpenAPI document says of a model: requests to try that work, and the kinds of its columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from support.direct_model import DirectModel, application, direct, get, post

from polyhost.data.column_info import ColumnInfo
from polyhost.data.target import Target, TargetType

FRAME = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": [0.5, -1.0, 2.0, 0.0]})
CLASSES = LogisticRegression().fit(FRAME, ["x", "z", "y", "z"])
REVERSE = """
def load_model(code_dir):
    return 1
def score_unstructured(model, data, query, **kwargs):
    return data[::-1]
"""
COLUMNS = (
    ColumnInfo("size", "number", missing="error"),
    ColumnInfo("rooms", "integer", example="3"),
    ColumnInfo("new", "boolean", example="true"),
    ColumnInfo("kind", "category", levels=("flat", "house")),
    ColumnInfo("sold", "date", required=False),
)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DirectModel, DirectModel]]:
    target = Target(TargetType.MULTICLASS, ("z", "y", "x"))
    rows = direct(tmp_path_factory.mktemp("m"), CLASSES, target, "rows")
    any_body = direct(tmp_path_factory.mktemp("m"), REVERSE, TargetType.UNSTRUCTURED, "body")
    yield rows, any_body
    for model in (rows, any_body):
        model.predictor.close()


def paths(*models: DirectModel) -> dict[str, Any]:
    found: dict[str, Any] = get(application(*models), "/openapi.json").json()["paths"]
    return found


def content_of(operation: Any) -> Any:
    return operation["post"]["requestBody"]["content"]["application/json"]


def test_every_request_that_is_shown_gets_an_answer(
    models: tuple[DirectModel, DirectModel],
) -> None:
    app = application(*models)
    tried = []
    for path, operations in paths(*models).items():
        bodies = operations.get("post", {}).get("requestBody", {}).get("content", {})
        example = bodies.get("application/json", {}).get("example")
        if example is not None and "/rows" in path and "transform" not in path:
            reply = post(app, path, example)
            assert reply.status_code == 200, (path, reply.text)
            tried.append(path)
    assert {
        "/v2/models/rows/infer",
        "/v1/models/rows:predict",
        "/models/rows/invocations",
    } <= set(tried)
    example = content_of(paths(*models)["/v2/models/body/infer"])["example"]
    reply = post(app, "/v2/models/body/infer", example)
    assert reply.json()["outputs"][0]["data"] == ["txet"]


def test_columns_are_described_by_kind_and_levels(models: tuple[DirectModel, DirectModel]) -> None:
    model = models[0]
    info = model.info
    model.info = replace(info, guest=replace(info.guest, columns=COLUMNS))
    try:
        found = paths(model)
        metadata = get(application(model), "/v2/models/rows").json()
    finally:
        model.info = info
    row = content_of(found["/v1/models/rows:predict"])["schema"]["properties"]["instances"]["items"]
    expected = {
        "type": "object",
        "required": ["size", "rooms", "new", "kind"],
        "properties": {
            "size": {"type": "number"},
            "rooms": {"type": ["integer", "null"], "examples": [3]},
            "new": {"type": ["boolean", "null"], "examples": [True]},
            "kind": {
                "type": ["string", "null"],
                "examples": ["flat", "house"],
                "description": "a category: flat, house",
            },
            "sold": {"type": ["string", "null"]},
        },
    }
    assert row["anyOf"][0] == expected
    records = content_of(found["/predict/"])["schema"]["properties"]["dataframe_records"]
    assert records["items"] == expected
    shown = content_of(found["/v2/models/rows/infer"])["example"]["inputs"]
    assert [(t["name"], t["datatype"], t["data"][0]) for t in shown] == [
        ("size", "FP64", 1.5),
        ("rooms", "INT64", 3),
        ("new", "BOOL", True),
        ("kind", "BYTES", "flat"),
        ("sold", "BYTES", "2024-01-31"),
    ]
    parameters = {tensor["name"]: tensor.get("parameters") for tensor in metadata["inputs"]}
    assert parameters == {
        "size": None,
        "rooms": {"example": 3},
        "new": {"example": True},
        "kind": {"content_type": "str", "levels": '["flat", "house"]'},
        "sold": {"content_type": "str", "required": False},
    }

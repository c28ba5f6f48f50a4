"""Examples that MLflow stored with a model, as bodies that are asked when a version starts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from polyhost.data.target import Target, TargetType
from polyhost.host import saved_example
from polyhost.predictor import ModelSpec

FRAME = {"columns": ["a"], "data": [[1]]}


def body(folder: Path, info: Any, files: dict[str, Any]) -> Any:
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))
    options = {"mlmodel": {"example": info}}
    spec = ModelSpec(folder, "python", Target(TargetType.ANY), options=options)
    found = saved_example.body_of(spec)
    return None if found is None else (found[0].name, json.loads(found[2]))


@pytest.mark.parametrize(
    ("info", "content", "expected"),
    [
        ({"type": "dataframe", "pandas_orient": "split"}, FRAME, {"dataframe_split": FRAME}),
        ({"type": "ndarray"}, [[1, 2]], {"inputs": [[1, 2]]}),
        ({"type": "ndarray", "format": "tf-serving"}, {"inputs": [1]}, {"inputs": [1]}),
        ({"type": "json_object"}, {"q": "x"}, {"inputs": {"q": "x"}}),
        (
            {"type": "dataframe", "params": "true"},
            {"inputs": FRAME, "params": {"k": 1}},
            {"dataframe_split": FRAME, "params": {"k": 1}},
        ),
    ],
)
def test_an_example_becomes_a_body(tmp_path: Path, info: Any, content: Any, expected: Any) -> None:
    info = {"artifact_path": "input_example.json", **info}
    found = body(tmp_path, info, {"input_example.json": content})
    assert found == ("input_example.json", expected)


def test_a_body_that_mlflow_keeps_ready_is_preferred(tmp_path: Path) -> None:
    info = {"artifact_path": "a.json", "serving_input_path": "b.json", "type": "ndarray"}
    found = body(tmp_path, info, {"a.json": [1], "b.json": {"prompt": "x"}})
    assert found == ("b.json", {"prompt": "x"})


@pytest.mark.parametrize(
    "info",
    [
        None,
        {"artifact_path": "absent.json", "type": "dataframe"},
        {"artifact_path": "../a.json", "type": "ndarray"},
        {"artifact_path": "s.json", "type": "sparse_matrix_csr"},
    ],
)
def test_there_may_be_none(tmp_path: Path, info: Any) -> None:
    (tmp_path / "a.json").write_text("[1]")
    folder = tmp_path / "model"
    folder.mkdir()
    assert body(folder, info, {"s.json": {"data": [1]}}) is None

"""Models that MLflow saved, in this process: flavors, code paths, parameters, errors."""

from __future__ import annotations

import json
import pickle
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support import mlflow_models
from support.mlflow_models import columns

from polyhost.code_dir.spec import spec_of
from polyhost.codecs import Request, dispatch
from polyhost.codecs.labels import values_of
from polyhost.codecs.v2.outputs import Results
from polyhost.codecs.v2.schema import inputs_of
from polyhost.data.payload import Payload, Table, Tensors
from polyhost.errors import (
    CodeDirError,
    LoadError,
    ModelError,
    RuntimeUnavailable,
    SchemaMismatch,
    WrongEndpoint,
)
from polyhost.pipeline.pipeline import Pipeline, open_predictor
from polyhost.settings import Setting, Source, TargetSettings
from polyhost.wire.messages import info_from_wire, info_to_wire

NAMES = ["a", "b"]
ROWS = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "b": [1.0, 0.5, 4.0, 2.0]})
CLASSES = ["no", "no", "yes", "yes"]
INPUTS = columns(a="double", b="double")
Open = Callable[..., Pipeline]


@pytest.fixture
def opened() -> Iterator[Open]:
    """Loads a folder; every model is closed at the end, and its code forgotten."""
    models: list[Pipeline] = []
    path, modules = list(sys.path), set(sys.modules)

    def load(folder: Path, target: str = "", **options: Any) -> Pipeline:
        given = TargetSettings(type=Setting(target, Source.FLAG)) if target else TargetSettings()
        models.append(open_predictor(spec_of(folder, given, options=options, infer=True)))
        return models[-1]

    yield load
    for model in models:
        model.close()
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith("own_"):
            del sys.modules[name]


def ask(model: Pipeline, content: Any, kind: str = "application/json") -> Any:
    body = json.dumps(content).encode()
    answer = dispatch.answer(model, Request("predict", "mlflow", kind), body)
    return json.loads(bytes(answer.body))


def split(*rows: list[Any]) -> dict[str, Any]:
    return {"dataframe_split": {"columns": NAMES, "data": list(rows)}}


@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba"])
@pytest.mark.parametrize("signature", [None, {"inputs": INPUTS}])
def test_an_estimator_answers_with_its_own_method(
    tmp_path: Path, opened: Open, method: str, signature: Any
) -> None:
    estimator = make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, CLASSES)
    folder = mlflow_models.sklearn(tmp_path, estimator, signature=signature, predict_fn=method)
    model = opened(folder)
    expected = getattr(estimator, method)(ROWS).tolist()
    found = ask(model, split(*ROWS.to_numpy().tolist()))
    assert found == {"predictions": expected}
    assert model.info.batchable


def test_columns_come_in_any_order_and_numbers_in_any_type(tmp_path: Path, opened: Open) -> None:
    estimator = LinearRegression().fit(ROWS, [1.0, 2.0, 3.0, 5.0])
    inputs = columns(a="long", b="float")
    model = opened(mlflow_models.sklearn(tmp_path, estimator, signature={"inputs": inputs}))
    frame = pd.DataFrame({"a": [2], "b": np.array([0.1], np.float32)})
    expected = estimator.predict(frame).tolist()
    assert ask(model, {"dataframe_records": [{"b": 0.1, "a": 2}]})["predictions"] == expected
    assert ask(model, {"dataframe_records": [{"b": 0.1, "a": 2.0}]})["predictions"] == expected
    assert ask(model, {"dataframe_records": [{"b": "0.1", "a": "2"}]})["predictions"] == expected


def test_other_protocols_get_the_answer_as_a_table(tmp_path: Path, opened: Open) -> None:
    estimator = LogisticRegression().fit(ROWS, CLASSES)
    model = opened(mlflow_models.sklearn(tmp_path, estimator, signature={"inputs": INPUTS}))
    found = model.predict(Table.from_matrix(NAMES, ROWS.to_numpy())).predictions
    assert (found.names, found.columns[0].tolist()) == (("Predictions",), CLASSES)


def test_a_target_type_makes_it_an_ordinary_model(tmp_path: Path, opened: Open) -> None:
    estimator = LogisticRegression().fit(ROWS, CLASSES)
    model = opened(mlflow_models.sklearn(tmp_path, estimator), "binary")
    found = model.predict(Table.from_matrix(NAMES, ROWS.to_numpy())).predictions
    assert found.names == ("no", "yes")
    assert found.matrix is not None
    assert found.matrix.tolist() == estimator.predict_proba(ROWS).tolist()
    assert ask(model, split([0.0, 1.0])) == {"predictions": ["no"]}


def test_a_stored_configuration_reaches_the_loader(
    tmp_path: Path, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = """
        class Model:
            def __init__(self, config): self.config = config
            def predict(self, data): return self.config
        def _load_pyfunc(path, config=None): return Model(config)
    """
    folder = mlflow_models.of_loader(tmp_path, code, config={"depth": 3, "name": "x"})
    monkeypatch.setenv("SERVING_MODEL_CONFIG", '{"depth": 5, "unknown": 1}')
    assert ask(opened(folder), {"inputs": [1]}) == {"predictions": {"depth": 5, "name": "x"}}


def test_parameters_reach_only_a_predict_that_takes_them(tmp_path: Path, opened: Open) -> None:
    code = """
        class Model:
            def predict(self, data): return len(data)
        def _load_pyfunc(path): return Model()
    """
    model = opened(mlflow_models.of_loader(tmp_path, code))
    assert ask(model, {"inputs": [1, 2], "params": {"k": 1}}) == {"predictions": 2}


def test_a_model_may_answer_part_by_part(tmp_path: Path, opened: Open) -> None:
    code = """
        class Model:
            def predict(self, data): return "whole"
            def stream(self, data, params=None):
                yield {"n": 1}
                yield "two"
        def _load_pyfunc(path): return Model()
    """
    model = opened(
        mlflow_models.of_loader(tmp_path, code, streamable=True, predict_stream_fn="stream")
    )
    request = Request("predict", "mlflow", "application/json", accept="text/event-stream")
    answer = dispatch.answer(model, request, b'{"inputs": [1]}')
    assert answer.content_type == "text/event-stream; charset=utf-8"
    assert b"".join(answer.body) == b'data: {"n":1}\n\ndata: "two"\n\ndata: [DONE]\n\n'
    asked = dispatch.answer(
        model, Request("predict", "mlflow", "application/json"), b'{"prompt": "x", "stream": true}'
    )
    assert b"".join(asked.body).endswith(b"data: [DONE]\n\n")


def test_a_model_that_does_not_stream_says_so(tmp_path: Path, opened: Open) -> None:
    model = opened(mlflow_models.sklearn(tmp_path, LinearRegression().fit(ROWS, [1, 2, 3, 4])))
    request = Request("predict", "mlflow", "application/json", accept="text/event-stream")
    with pytest.raises(WrongEndpoint, match="predict_stream"):
        dispatch.answer(model, request, b'{"inputs": [[1, 2]]}')


def test_what_the_model_raises_keeps_its_type(tmp_path: Path, opened: Open) -> None:
    code = """
        class Model:
            def predict(self, data): raise KeyError("lost")
        def _load_pyfunc(path): return Model()
    """
    with pytest.raises(ModelError) as caught:
        ask(opened(mlflow_models.of_loader(tmp_path, code)), {"inputs": [1]})
    assert caught.value.facts["native_type"] == "KeyError"
    assert caught.value.facts["location"] == "own_loader.py:3"


def test_a_flavor_of_mlflow_without_mlflow_says_what_to_install(
    tmp_path: Path, opened: Open
) -> None:
    flavor = {"loader_module": "mlflow.pyfunc.model", "python_model": "python_model.pkl"}
    with pytest.raises(RuntimeUnavailable, match="pip install mlflow"):
        opened(mlflow_models.write(tmp_path, {"python_function": flavor}))


def test_no_served_flavor_lists_what_there_is(tmp_path: Path, opened: Open) -> None:
    folder = mlflow_models.write(tmp_path, {"gluon": {"data": "data"}})
    with pytest.raises(CodeDirError, match=r"found gluon \(gluon: MXNet"):
        opened(folder)


def test_files_are_taken_from_the_folder_alone(tmp_path: Path, opened: Open) -> None:
    (tmp_path / "secret.pkl").write_bytes(pickle.dumps(LinearRegression()))
    folder = mlflow_models.sklearn(tmp_path / "model", LinearRegression())
    text = (folder / "MLmodel").read_text().replace("model.pkl", "../secret.pkl")
    (folder / "MLmodel").write_text(text)
    with pytest.raises(LoadError, match="leads out of the folder"):
        opened(folder)


def test_pickles_can_be_refused(
    tmp_path: Path, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    with pytest.raises(LoadError, match="is a pickle"):
        opened(mlflow_models.sklearn(tmp_path, LinearRegression()))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("flavors: {}", "no flavors"),
        ("[1]", "expected a mapping"),
        ("a: [", "cannot be read"),
        ("flavors: {sklearn: {}}\nmetadata: {mlflow.model.isExternal: true}", "are elsewhere"),
    ],
)
def test_a_wrong_file_is_reported(tmp_path: Path, opened: Open, text: str, says: str) -> None:
    (tmp_path / "MLmodel").write_text(text)
    with pytest.raises(CodeDirError, match=says):
        opened(tmp_path)


def test_files_of_every_version_are_read(tmp_path: Path, opened: Open) -> None:
    """No uuid, no signature, `env` a text, a date that YAML reads as one, unknown keys, nulls."""
    folder = mlflow_models.sklearn(tmp_path, LinearRegression().fit(ROWS, [1.0, 2.0, 3.0, 4.0]))
    (folder / "MLmodel").write_text(
        textwrap.dedent(
            """
            artifact_path: model
            flavors:
              python_function:
                data: model.pkl
                env: conda.yaml
                loader_module: mlflow.sklearn
                python_version: 3.6.9
              sklearn:
                pickled_model: model.pkl
                sklearn_version: 0.19.1
            run_id: 0123
            signature: null
            surprise: {deep: [1, null]}
            utc_time_created: 2018-09-17 12:00:00.5
            """
        )
    )
    assert ask(opened(folder), split([1.0, 0.5]))["predictions"] == pytest.approx([2.0])


@pytest.mark.parametrize(("kind", "wrong"), [("long", 1.5), ("integer", 2.0**31), ("float", 1e300)])
def test_numbers_that_came_as_a_matrix_are_held_against_narrower_types(
    tmp_path: Path, opened: Open, kind: str, wrong: float
) -> None:
    estimator = LinearRegression().fit(ROWS, [1.0, 2.0, 3.0, 5.0])
    inputs = columns(a="double", b=kind)
    model = opened(mlflow_models.sklearn(tmp_path, estimator, signature={"inputs": inputs}))
    assert model.info.guest.matrix
    largest = {"long": 2.0**40, "integer": 2.0**31 - 1, "float": 1e30}[kind]
    assert ask(model, split([1.5, largest]))["predictions"] == pytest.approx(
        estimator.predict(pd.DataFrame([[1.5, largest]], columns=NAMES)), rel=1e-6
    )
    with pytest.raises(SchemaMismatch, match=f"column b to type '{kind}'"):
        ask(model, split([1.5, wrong]))


DOUBLES = """
    class Model:
        def predict(self, data, params=None):
            assert data.dtype == "float32"
            return data * 2
    def _load_pyfunc(path): return Model()
"""


def test_other_protocols_hold_arrays_against_the_signature_too(
    tmp_path: Path, opened: Open
) -> None:
    """Every column of the answer is there, whatever way the rows came."""
    inputs = [{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 2]}}]
    model = opened(mlflow_models.of_loader(tmp_path, DOUBLES, signature={"inputs": inputs}))
    rows = np.array([[1, 2], [3, 4]])
    for given in (
        Table(NAMES, list(rows.T)),
        Tensors({"x": rows}),
        Payload(b"a,b\n1,2\n3,4\n", "text/csv"),
    ):
        scores = model.predict(given)
        assert scores.predictions.matrix is not None
        assert scores.predictions.matrix.tolist() == [[2.0, 4.0], [6.0, 8.0]]
    assert values_of(scores, model.info.target) == [{"0": 2.0, "1": 4.0}, {"0": 6.0, "1": 8.0}]
    (only,) = Results(scores, model.info).chosen((), 0, 2)
    assert only.made.values.tolist() == [[2.0, 4.0], [6.0, 8.0]]
    with pytest.raises(SchemaMismatch, match="expected shape"):
        model.predict(Tensors({"x": np.zeros((2, 3))}))


def test_columns_of_several_types_are_an_output_each(tmp_path: Path, opened: Open) -> None:
    code = """
        def _load_pyfunc(path): return Model()
        class Model:
            def predict(self, data): return data.assign(kind="x")
    """
    model = opened(mlflow_models.of_loader(tmp_path, code))
    scores = model.predict(Table(["n"], [np.array([1, 2])]))
    found = Results(scores, model.info).chosen((), 0, 2)
    assert [(each.made.name, each.made.datatype) for each in found] == [
        ("n", "INT64"),
        ("kind", "BYTES"),
    ]
    assert values_of(scores, model.info.target) == [{"n": 1, "kind": "x"}, {"n": 2, "kind": "x"}]


def test_v2_describes_the_arrays_of_the_signature(tmp_path: Path, opened: Open) -> None:
    inputs = [
        {"name": "p", "type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}},
        {"name": "q", "type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 2]}},
        {"name": "t", "type": "tensor", "tensor-spec": {"dtype": "str", "shape": [-1]}},
    ]
    model = opened(mlflow_models.of_loader(tmp_path, DOUBLES, signature={"inputs": inputs}))
    info = info_from_wire(json.loads(json.dumps(info_to_wire(model.info))))
    assert info == model.info
    assert inputs_of(info) == [
        {"name": "p", "datatype": "INT64", "shape": [-1]},
        {"name": "q", "datatype": "FP32", "shape": [-1, 2]},
        {"name": "t", "datatype": "BYTES", "shape": [-1]},
    ]

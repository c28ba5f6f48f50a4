"""Flavors that are served without MLflow: what their own library says is what is answered."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from support import mlflow_models
from support.mlflow_models import columns

from polyhost.code_dir.spec import spec_of
from polyhost.codecs import Request, dispatch
from polyhost.errors import LoadError, SchemaMismatch
from polyhost.pipeline.pipeline import Pipeline, open_predictor
from polyhost.settings import TargetSettings

NAMES = ["a", "b", "c"]
ROWS = pd.DataFrame(np.random.default_rng(3).normal(size=(60, 3)), columns=NAMES)
VALUES = ROWS["a"] - 2 * ROWS["b"]
CLASSES = (VALUES > 0).astype(int)
SIGNATURE = {"inputs": columns(a="double", b="double", c="double")}
SOME = ROWS.head(4)


@pytest.fixture
def opened() -> Iterator[Any]:
    models: list[Pipeline] = []

    def load(folder: Path) -> Pipeline:
        models.append(open_predictor(spec_of(folder, TargetSettings(), infer=True)))
        return models[-1]

    yield load
    for model in models:
        model.close()


def ask(model: Pipeline, content: Any) -> Any:
    request = Request("predict", "mlflow", "application/json")
    answer = dispatch.answer(model, request, json.dumps(content).encode())
    assert isinstance(answer.body, bytes)
    return json.loads(answer.body)["predictions"]


def split(frame: pd.DataFrame, **others: Any) -> dict[str, Any]:
    return {"dataframe_split": json.loads(frame.to_json(orient="split", index=False)), **others}


def saved(folder: Path, flavor: str, file: str, signature: Any, **attributes: Any) -> Path:
    flavors = {
        "python_function": {"loader_module": f"mlflow.{flavor}", "data": file},
        flavor: {"data": file, **attributes},
    }
    return mlflow_models.write(folder, flavors, signature=signature)


def close(found: Any, expected: Any) -> None:
    assert np.asarray(found) == pytest.approx(np.asarray(expected), rel=1e-6)


@pytest.mark.parametrize("signature", [None, SIGNATURE])
def test_a_booster_of_xgboost(tmp_path: Path, opened: Any, signature: Any) -> None:
    booster = xgboost.train({}, xgboost.DMatrix(ROWS, VALUES), 5)
    booster.save_model(tmp_path / "model.json")
    model = opened(saved(tmp_path, "xgboost", "model.json", signature))
    expected = booster.predict(xgboost.DMatrix(SOME))
    close(ask(model, split(SOME)), expected)
    close(ask(model, split(SOME[["c", "a", "b"]])), expected)  # by name
    assert model.info.batchable


@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_a_wrapper_of_xgboost(tmp_path: Path, opened: Any, method: str) -> None:
    estimator = xgboost.XGBClassifier(n_estimators=5).fit(ROWS, CLASSES)
    estimator.save_model(tmp_path / "model.ubj")
    folder = saved(
        tmp_path, "xgboost", "model.ubj", SIGNATURE, model_class="xgboost.sklearn.XGBClassifier"
    )
    text = (folder / "MLmodel").read_text()
    text = text.replace("  python_function:\n", f"  python_function:\n    predict_fn: {method}\n")
    (folder / "MLmodel").write_text(text)
    close(ask(opened(folder), split(SOME)), getattr(estimator, method)(SOME))


def test_parameters_of_a_booster_are_its_librarys_own(tmp_path: Path, opened: Any) -> None:
    booster = xgboost.train({}, xgboost.DMatrix(ROWS, VALUES), 5)
    booster.save_model(tmp_path / "model.ubj")
    params = [{"name": "output_margin", "type": "boolean", "default": False, "shape": None}]
    params += [{"name": "pred_leaf", "type": "boolean", "default": False, "shape": None}]
    model = opened(saved(tmp_path, "xgboost", "model.ubj", {**SIGNATURE, "params": params}))
    expected = booster.predict(xgboost.DMatrix(SOME), pred_leaf=True)
    close(ask(model, split(SOME, params={"pred_leaf": True})), expected)


@pytest.mark.parametrize("signature", [None, SIGNATURE])
def test_a_booster_of_lightgbm(tmp_path: Path, opened: Any, signature: Any) -> None:
    data = lightgbm.Dataset(ROWS, VALUES)
    booster = lightgbm.train({"verbose": -1, "min_data_in_leaf": 2}, data, 5)
    booster.save_model(tmp_path / "model.lgb")
    model = opened(saved(tmp_path, "lightgbm", "model.lgb", signature))
    expected = booster.predict(SOME)
    close(ask(model, split(SOME)), expected)
    close(ask(model, split(SOME[["c", "a", "b"]])), expected)  # LightGBM itself would not look


def test_a_wrapper_of_lightgbm(tmp_path: Path, opened: Any) -> None:
    estimator = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1).fit(ROWS, CLASSES)
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(estimator))
    kind = {"model_class": "lightgbm.sklearn.LGBMClassifier"}
    model = opened(saved(tmp_path, "lightgbm", "model.pkl", SIGNATURE, **kind))
    assert ask(model, split(SOME)) == estimator.predict(SOME).tolist()


def test_an_array_of_another_width_is_refused(tmp_path: Path, opened: Any) -> None:
    data = lightgbm.Dataset(ROWS.to_numpy(), VALUES)
    booster = lightgbm.train({"verbose": -1, "min_data_in_leaf": 2}, data, 5)
    booster.save_model(tmp_path / "model.lgb")
    model = opened(saved(tmp_path, "lightgbm", "model.lgb", None))
    matrix = SOME.to_numpy().tolist()
    close(ask(model, {"inputs": matrix}), booster.predict(SOME.to_numpy()))
    with pytest.raises(SchemaMismatch, match=r"3 column\(s\): found an array of shape \(4, 2\)"):
        ask(model, {"inputs": [row[:2] for row in matrix]})


def test_a_class_of_another_package_is_refused(tmp_path: Path, opened: Any) -> None:
    (tmp_path / "model.ubj").write_bytes(b"")
    with pytest.raises(LoadError, match="expected one of xgboost"):
        opened(saved(tmp_path, "xgboost", "model.ubj", None, model_class="os.system"))


def graph(folder: Path, *outputs: str) -> Path:
    """A graph that multiplies a matrix by a constant one, and counts the columns of each row."""
    from onnx import TensorProto, helper, numpy_helper, save

    weights = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    nodes.append(helper.make_node("ReduceSum", ["x", "axis"], ["total"], keepdims=0))
    shapes = {"y": [None, 2], "total": [None]}
    made = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3])],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, shapes[n]) for n in outputs],
        [
            numpy_helper.from_array(weights, "w"),
            numpy_helper.from_array(np.array([1], np.int64), "axis"),
        ],
    )
    opset = [helper.make_opsetid("", 17)]
    folder.mkdir(exist_ok=True)
    save(helper.make_model(made, opset_imports=opset, ir_version=9), folder / "model.onnx")
    return saved(folder, "onnx", "model.onnx", None, providers=["TensorrtExecutionProvider"])


def test_a_graph_answers_by_the_names_of_its_outputs(tmp_path: Path, opened: Any) -> None:
    model = opened(graph(tmp_path, "y"))
    rows, expected = [[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]], [[1.0, 2.0], [8.0, 10.0]]
    assert ask(model, {"inputs": rows}) == {"y": expected}
    assert ask(model, {"inputs": {"x": rows}}) == {"y": expected}
    with pytest.raises(SchemaMismatch, match="takes the inputs x: found z"):
        ask(model, {"inputs": {"z": rows}})
    frame = pd.DataFrame(rows, columns=NAMES)
    flat = [{"y": value} for row in expected for value in row]  # as MLflow flattens it
    assert ask(model, split(frame)) == flat


def test_outputs_of_different_width_stay_rows(tmp_path: Path, opened: Any) -> None:
    model = opened(graph(tmp_path, "y", "total"))
    found = ask(model, split(pd.DataFrame([[1.0, 0.0, 0.0]], columns=NAMES)))
    assert found == [{"y": [1.0, 2.0], "total": 1.0}]


def test_a_model_of_catboost(tmp_path: Path, opened: Any) -> None:
    import catboost

    estimator = catboost.CatBoostClassifier(iterations=3, verbose=False, allow_writing_files=False)
    estimator.fit(ROWS, CLASSES)
    estimator.save_model(str(tmp_path / "model.cb"))
    kind = {"model_type": "CatBoostClassifier", "save_format": "cbm"}
    model = opened(saved(tmp_path, "catboost", "model.cb", SIGNATURE, **kind))
    assert ask(model, split(SOME)) == estimator.predict(SOME).tolist()

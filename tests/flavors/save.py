"""One model of each flavor, saved by MLflow in an environment with all the libraries.

``save.py FOLDER FLAVOR`` prints a body for it, and what MLflow's own pyfunc model answers to that.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROWS = pd.DataFrame(np.random.default_rng(1).normal(size=(40, 2)), columns=["a", "b"])
VALUES = ROWS["a"] * 2 - ROWS["b"]
CLASSES = (VALUES > 0).astype(int)
Saver = Callable[[str], Any]


def sklearn(folder: str) -> Any:
    import mlflow.sklearn
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression().fit(ROWS, CLASSES)
    mlflow.sklearn.save_model(model, folder, serialization_format="cloudpickle")


def xgboost(folder: str) -> Any:
    import mlflow.xgboost
    from xgboost import XGBRegressor

    mlflow.xgboost.save_model(XGBRegressor(n_estimators=3).fit(ROWS, VALUES), folder)


def lightgbm(folder: str) -> Any:
    import lightgbm
    import mlflow.lightgbm

    booster = lightgbm.train({"verbose": -1}, lightgbm.Dataset(ROWS, VALUES), 3)
    mlflow.lightgbm.save_model(booster, folder)


def catboost(folder: str) -> Any:
    import catboost as library
    import mlflow.catboost

    model = library.CatBoostClassifier(iterations=3, verbose=False, allow_writing_files=False)
    mlflow.catboost.save_model(model.fit(ROWS, CLASSES), folder)


def statsmodels(folder: str) -> Any:
    import mlflow.statsmodels
    from statsmodels.api import OLS

    mlflow.statsmodels.save_model(OLS(VALUES, ROWS).fit(), folder)


def onnx(folder: str) -> Any:
    import mlflow.onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy_helper.from_array(np.array([[2], [-1]], np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])],
        [weights],
    )
    opset = [helper.make_opsetid("", 17)]
    mlflow.onnx.save_model(helper.make_model(graph, opset_imports=opset, ir_version=9), folder)


def h2o(folder: str) -> Any:
    import h2o as library
    import mlflow.h2o
    from h2o.estimators import H2OGeneralizedLinearEstimator

    library.init(nthreads=1)
    library.no_progress()
    model = H2OGeneralizedLinearEstimator(seed=1)
    frame = library.H2OFrame(ROWS.assign(y=VALUES))
    model.train(x=["a", "b"], y="y", training_frame=frame)
    mlflow.h2o.save_model(model, folder)


def keras(folder: str) -> Any:
    import keras as library
    import mlflow.keras

    model = library.Sequential([library.layers.Input((2,)), library.layers.Dense(1)])
    mlflow.keras.save_model(model, folder)


def keras_of_r(folder: str) -> Any:
    """The layout of MLflow's R package, whose models its Python package does not load."""
    import keras as library
    import yaml

    model = library.Sequential([library.layers.Input((2,)), library.layers.Dense(1)])
    Path(folder).mkdir()
    model.save(f"{folder}/model.h5")
    flavors = {
        "keras": {"version": "2.2.2", "data": "model.h5"},
        "python_function": {"loader_module": "mlflow.keras", "data": "model.h5"},
    }
    (Path(folder) / "MLmodel").write_text(yaml.safe_dump({"flavors": flavors}))
    answer = pd.DataFrame(model.predict(ROWS.head(3).to_numpy(), verbose=0))
    return ROWS.head(3), answer


def tensorflow(folder: str) -> Any:
    import mlflow.tensorflow
    import tensorflow as library

    class Doubles(library.Module):
        @library.function(input_signature=[library.TensorSpec([None, 2], library.float64)])
        def __call__(self, inputs: Any) -> Any:
            return {"y": inputs * 2}

    where = folder + "-saved"
    library.saved_model.save(Doubles(), where)
    loaded = library.saved_model.load(where)
    mlflow.tensorflow.save_model(loaded, folder, signature=_matrix_signature())


def _matrix_signature() -> Any:
    from mlflow.models import infer_signature

    return infer_signature(ROWS.to_numpy(), ROWS.to_numpy())


def spacy(folder: str) -> Any:
    import mlflow.spacy
    import spacy as library

    nlp = library.blank("en")
    categories = nlp.add_pipe("textcat")
    categories.add_label("good")
    categories.add_label("bad")
    nlp.initialize()
    mlflow.spacy.save_model(nlp, folder)
    return pd.DataFrame({"text": ["good day", "bad day"]})


def prophet(folder: str) -> Any:
    import mlflow.prophet
    from prophet import Prophet

    days = pd.date_range("2024-01-01", periods=30)
    model = Prophet(uncertainty_samples=0).fit(pd.DataFrame({"ds": days, "y": range(30)}))
    mlflow.prophet.save_model(model, folder)
    return pd.DataFrame({"ds": ["2024-02-01", "2024-02-02"]})


def pmdarima(folder: str) -> Any:
    import mlflow.pmdarima
    import pmdarima as library

    mlflow.pmdarima.save_model(library.ARIMA((1, 0, 0)).fit(VALUES.to_numpy()), folder)
    return pd.DataFrame({"n_periods": [3]})


def python_function(folder: str) -> Any:
    import mlflow.pyfunc

    class Model(mlflow.pyfunc.PythonModel):
        def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
            return model_input["a"] + 1

    mlflow.pyfunc.save_model(folder, python_model=Model())


SAVERS: dict[str, Saver] = {
    each.__name__: each
    for each in (
        *(python_function, sklearn, xgboost, lightgbm, catboost, onnx, statsmodels, h2o, keras),
        keras_of_r,
        *(tensorflow, spacy, prophet, pmdarima),
    )
}


def main(folder: str, flavor: str) -> None:
    """Save one model; print a body and MLflow's answer, or the library's where MLflow has none."""
    import mlflow.pyfunc
    from mlflow.pyfunc.scoring_server import predictions_to_json

    rows, known = SAVERS[flavor](folder), None
    if isinstance(rows, tuple):
        rows, known = rows
    rows = ROWS.head(3) if rows is None else rows
    if flavor == "tensorflow":
        body, data = {"inputs": rows.to_numpy().tolist()}, rows.to_numpy()
    else:
        body = {"dataframe_split": json.loads(rows.to_json(orient="split", index=False))}
        data = pd.DataFrame(**body["dataframe_split"])
    answer = mlflow.pyfunc.load_model(folder).predict(data) if known is None else known
    import io

    text = io.StringIO()
    predictions_to_json(answer, text)
    expected = json.loads(text.getvalue(), parse_constant=lambda word: None)
    print("\n" + json.dumps({"body": body, "expected": expected["predictions"]}))


if __name__ == "__main__":
    main(str(Path(sys.argv[1])), sys.argv[2])

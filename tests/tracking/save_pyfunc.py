"""Models of one's own, saved by MLflow, and what MLflow itself answers; run by MLflow's Python.

Saves into the folder that it is given, and prints one JSON line: for each case its model, body and
MLflow's prediction, or the kind of its refusal.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature, infer_signature
from mlflow.pyfunc import PythonModel
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema
from sklearn.linear_model import LogisticRegression

HERE = Path(sys.argv[1])
X = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "b": [1.0, 0.5, 0.25, 0.0]})
y = np.array([0, 0, 1, 1])
REQUIREMENTS = ["scikit-learn", "numpy", "cloudpickle"]


class AnyMethod(PythonModel):
    """Calls the method of an estimator that the caller asks for."""

    def load_context(self, context):
        import pickle

        with open(context.artifacts["estimator"], "rb") as file:
            self.estimator = pickle.load(file)
        self.config = dict(context.model_config or {})

    def predict(self, context, model_input, params):
        method = getattr(self.estimator, params["predict_method"])
        return method(model_input) * params["scale"] + self.config.get("shift", 0)


class Speaks(PythonModel):
    def predict(self, context, model_input, params=None):
        return ["whole"]

    def predict_stream(self, context, model_input, params=None):
        for number in range(3):
            yield {"part": number, "of": len(model_input)}


class NoContext(PythonModel):
    def predict(self, model_input, params=None):
        return model_input.sum(axis=1).to_numpy() if params is None else [sorted(params)]


class Clash(PythonModel):
    def predict(self, context, model_input, params=None):
        from prep_features import preprocess_features

        return [preprocess_features()]


def function(model_input):
    return [len(model_input)]


estimator = LogisticRegression().fit(X, y)
artifact = HERE / "estimator.pkl"
artifact.write_bytes(__import__("pickle").dumps(estimator))
params = ParamSchema(
    [ParamSpec("predict_method", "string", "predict"), ParamSpec("scale", "double", 1.0)]
)
inputs = Schema([ColSpec("double", "a"), ColSpec("double", "b")])
common = {"pip_requirements": REQUIREMENTS}
mlflow.pyfunc.save_model(
    HERE / "method", python_model=AnyMethod(), artifacts={"estimator": str(artifact)},
    signature=ModelSignature(inputs=inputs, params=params), model_config={"shift": 0.5}, **common,
)  # fmt: skip
mlflow.pyfunc.save_model(
    HERE / "stream", python_model=Speaks(), signature=ModelSignature(inputs=inputs), **common
)
mlflow.pyfunc.save_model(HERE / "plain", python_model=NoContext(), **common)
mlflow.pyfunc.save_model(HERE / "function", python_model=function, **common)
mlflow.sklearn.save_model(
    estimator, HERE / "proba", pyfunc_predict_fn="predict_proba", serialization_format="pickle",
    signature=infer_signature(X), **common,
)  # fmt: skip

for number in (1, 2):  # mlflow/mlflow#5923: both bring a module of the same name
    code = HERE / f"code{number}" / "prep_features.py"
    code.parent.mkdir()
    code.write_text(f"def preprocess_features():\n    return {number}\n")
    mlflow.pyfunc.save_model(
        HERE / f"clash{number}", python_model=Clash(), code_paths=[str(code)], **common
    )

split = {"columns": ["a", "b"], "data": X.values.tolist()}
asked = [
    ("method", None),
    ("method", {}),
    ("method", {"predict_method": "predict_proba"}),
    ("method", {"predict_method": "predict_log_proba", "scale": 2.0}),
    ("method", {"predict_method": "predict", "scale": 3}),
    ("method", {"predict_method": "predict", "unknown": 1}),
    ("method", {"predict_method": 1}),
    ("method", {"scale": "2"}),
    ("method", {"scale": [1.0]}),
    ("method", {"predict_method": None}),
    ("method", {"predict_method": "no_such_method"}),
    ("stream", None),
    ("plain", None),
    ("plain", {"x": 1}),
    ("function", None),
    ("proba", None),
]
loaded = {name: mlflow.pyfunc.load_model(str(HERE / name)) for name in dict(asked)}
cases = []
for name, given in asked:
    case = {"model": name, "body": {"dataframe_split": split}}
    if given is not None:
        case["body"]["params"] = given
    try:
        found = loaded[name].predict(X, params=given)
        case["predictions"] = found.tolist() if hasattr(found, "tolist") else found
    except MlflowException as error:
        case["refused"] = error.error_code
    except Exception as error:
        case["raised"] = type(error).__name__
    cases.append(case)
parts = list(loaded["stream"].predict_stream(X.head(1)))
print(json.dumps({"cases": cases, "parts": parts, "split": split}))

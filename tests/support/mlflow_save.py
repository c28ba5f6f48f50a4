"""Models saved by MLflow itself, run in its environment: ``mlflow_save.py FOLDER``.

Prints as JSON what MLflow's own ``load_model`` answers to each request of ``ASKED``.
"""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from typing import Any

CHAT = """
import mlflow
from mlflow.pyfunc import PythonModel


class Talker(PythonModel):
    def load_context(self, context):
        self.word = context.model_config["word"]

    def predict(self, context, model_input, params=None):
        return {"said": self.word, "asked": model_input["messages"][-1]["content"]}

    def predict_stream(self, context, model_input, params=None):
        for part in (self.word, model_input["messages"][-1]["content"]):
            yield {"part": part}


mlflow.models.set_model(Talker())
"""
ROW = {"a": 0.5, "b": 2.0}
ASKED: list[tuple[str, dict[str, Any]]] = [
    ("methods", {"dataframe_records": [ROW]}),
    ("methods", {"dataframe_records": [ROW], "params": {"predict_method": "predict_proba"}}),
    ("methods", {"dataframe_records": [ROW], "params": {"predict_method": "predict_log_proba"}}),
    ("methods", {"dataframe_records": [ROW], "params": {"unknown": 1}}),
    ("hints", {"inputs": ["a", "b"]}),
    ("skops", {"dataframe_records": [ROW]}),
]


def main(folder: Path) -> None:
    """Save every model, and print what MLflow answers."""
    import mlflow
    import pandas as pd
    from mlflow.models import infer_signature
    from sklearn.linear_model import LogisticRegression

    rows = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "b": [1.0, 0.5, 4.0, 2.0]})
    estimator = LogisticRegression().fit(rows, ["no", "no", "yes", "yes"])
    artifact = folder / "estimator.pkl"
    artifact.write_bytes(pickle.dumps(estimator))

    class Methods(mlflow.pyfunc.PythonModel):
        def load_context(self, context: Any) -> None:
            with open(context.artifacts["estimator"], "rb") as file:
                self.estimator = pickle.load(file)

        def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
            method = params["predict_method"]
            if method == "none":
                from mlflow.exceptions import MlflowException
                from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST

                raise MlflowException("no such method", error_code=RESOURCE_DOES_NOT_EXIST)
            return getattr(self.estimator, method)(model_input)

    class Hints(mlflow.pyfunc.PythonModel):
        def predict(self, model_input: list[str]) -> list[str]:
            return [text.upper() for text in model_input]

    signature = infer_signature(rows, ["no"], params={"predict_method": "predict"})
    mlflow.pyfunc.save_model(
        str(folder / "methods"),
        python_model=Methods(),
        artifacts={"estimator": str(artifact)},
        signature=signature,
        input_example=(rows.head(1), {"predict_method": "predict_proba"}),
    )
    mlflow.pyfunc.save_model(str(folder / "hints"), python_model=Hints())
    mlflow.sklearn.save_model(
        estimator, str(folder / "skops"), signature=infer_signature(rows, ["no"])
    )
    code = folder / "talker.py"
    code.write_text(CHAT)
    mlflow.pyfunc.save_model(
        str(folder / "chat"), python_model=str(code), model_config={"word": "hello"}
    )
    code.unlink()  # its path in the MLmodel file is of the machine that saved it
    print(json.dumps([_answer(mlflow, folder / name, body) for name, body in ASKED]))


def _answer(mlflow: Any, folder: Path, body: dict[str, Any]) -> Any:
    import pandas as pd

    model = mlflow.pyfunc.load_model(str(folder))
    data = body["inputs"] if "inputs" in body else pd.DataFrame(body["dataframe_records"])
    found = model.predict(data, params=body.get("params"))
    return found.tolist() if hasattr(found, "tolist") else found


if __name__ == "__main__":
    main(Path(sys.argv[1]))

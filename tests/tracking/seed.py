"""Fill a tracking server with what MLflow's own client logs and registers; run by MLflow's Python."""

from __future__ import annotations

import json

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import infer_signature
from sklearn.linear_model import LinearRegression

X = pd.DataFrame({"a": [1.0, 2.0, 4.0], "b": [0.0, 1.0, 1.0]})
REQUIREMENTS = ["scikit-learn", "numpy", "cloudpickle"]
client = mlflow.MlflowClient()
models = []
with mlflow.start_run() as run:
    for factor in (1, 10):
        model = LinearRegression().fit(X, np.array([1.0, 2.0, 3.0]) * factor)
        info = mlflow.sklearn.log_model(
            model,
            name="model",
            registered_model_name="my iris",
            serialization_format="pickle",
            signature=infer_signature(X, model.predict(X)),
            pip_requirements=REQUIREMENTS,
        )
        models.append(info.model_id)
    folder = mlflow.artifacts.download_artifacts(info.model_uri)
    mlflow.log_artifacts(folder, "plain/inner")
client.set_registered_model_alias("my iris", "champion", 1)
client.transition_model_version_stage("my iris", 1, "Production")
located = {
    uri: mlflow.models.get_model_info(uri).model_id
    for uri in (
        "models:/my iris/1",
        "models:/my iris/latest",
        "models:/my iris@champion",
        "models:/my iris/production",
        f"models:/{models[0]}",
        f"runs:/{run.info.run_id}/model",
    )
}
first = mlflow.sklearn.load_model("models:/my iris/1")
asked = {"half": (1.0, 0.1 + 0.2), "zero": (1.0, 0.0)}
one = {k: first.predict(pd.DataFrame([v], columns=["a", "b"]))[0] for k, v in asked.items()}
predicted = model.predict(X.head(1)).tolist()
print(
    json.dumps(
        {
            "predicted": predicted,
            "one": one,
            "run": run.info.run_id,
            "models": models,
            "located": located,
        }
    )
)

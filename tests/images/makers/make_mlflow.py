"""Make an MLflow model, an input and MLflow's own predictions: ``make_mlflow.py SCENARIO OUT_DIR``."""

from __future__ import annotations

import sys
from pathlib import Path

import mlflow.pyfunc
import mlflow.sklearn
import pandas as pd
from mlflow.models import infer_signature
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression

out = Path(sys.argv[2])
data = load_diabetes(as_frame=True)
model = LinearRegression().fit(data.data, data.target)
signature = infer_signature(data.data, model.predict(data.data))
mlflow.sklearn.save_model(
    model, out / "model", signature=signature, pip_requirements=["scikit-learn"]
)
data.data.to_csv(out / "input.csv", index=False)
native = mlflow.pyfunc.load_model(str(out / "model")).predict(pd.read_csv(out / "input.csv"))
pd.DataFrame({"Predictions": native}).to_csv(out / "expected.csv", index=False)

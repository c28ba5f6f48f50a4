"""Save a pickled model as an MLflow one that gives probabilities: ``save_mlflow.py PICKLE DIR``."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import mlflow.sklearn

if __name__ == "__main__":
    model = pickle.loads(Path(sys.argv[1]).read_bytes())
    mlflow.sklearn.save_model(
        model, sys.argv[2], pyfunc_predict_fn="predict_proba", serialization_format="pickle"
    )

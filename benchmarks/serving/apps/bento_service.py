"""The BentoML peer; the environment names the pickle: ``bentoml serve bento_service:Bench``."""

from __future__ import annotations

import os
import pickle
import warnings
from pathlib import Path

import bentoml
import numpy as np


@bentoml.service(workers=1)
class Bench:
    """A matrix in, probabilities out."""

    def __init__(self) -> None:
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        self.model = pickle.loads(Path(os.environ["BENCH_MODEL"]).read_bytes())

    @bentoml.api
    def predict(self, rows: list[list[float]]) -> list[list[float]]:
        found: list[list[float]] = self.model.predict_proba(np.asarray(rows)).tolist()
        return found

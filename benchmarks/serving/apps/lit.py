"""The LitServe peer: ``python lit.py MODEL PORT``; defaults."""

from __future__ import annotations

import pickle
import sys
import warnings
from pathlib import Path
from typing import Any

import litserve
import numpy as np


class Bench(litserve.LitAPI):
    """A matrix in, probabilities out."""

    def setup(self, device: str) -> None:
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        self.model = pickle.loads(Path(sys.argv[1]).read_bytes())

    def decode_request(self, request) -> np.ndarray:  # type: ignore[no-untyped-def]
        # An annotation as text would make LitServe look for a query parameter.
        return np.asarray(request["rows"])

    def predict(self, rows: np.ndarray) -> list[list[float]]:
        found: list[list[float]] = self.model.predict_proba(rows).tolist()
        return found

    def encode_response(self, output: list[list[float]]) -> dict[str, Any]:
        return {"predictions": output}


if __name__ == "__main__":
    server = litserve.LitServer(Bench(), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(sys.argv[2]), generate_client_file=False)

"""The same rows in the form that each server's own clients send."""

from __future__ import annotations

import json
from collections.abc import Callable

import models
import numpy as np

JSON, CSV = "application/json", "text/csv"
Body = tuple[str, bytes]
"""Content type and body."""


def split(name: str, rows: np.ndarray) -> Body:
    """MLflow's ``dataframe_split``: what polyhost, MLflow and our own bare apps read."""
    table = {"columns": models.columns(name), "data": rows.tolist()}
    return JSON, json.dumps({"dataframe_split": table}).encode()


def csv(name: str, rows: np.ndarray) -> Body:
    lines = [",".join(models.columns(name)), *(",".join(map(repr, row)) for row in rows.tolist())]
    return CSV, ("\n".join(lines) + "\n").encode()


def tensor(name: str, rows: np.ndarray) -> Body:
    """The Open Inference Protocol: one matrix, row after row."""
    cells = {"name": "x", "datatype": "FP64", "shape": list(rows.shape)}
    request = {
        "inputs": [{**cells, "data": rows.ravel().tolist()}],
        "outputs": [{"name": "predict_proba"}],
    }
    return JSON, json.dumps(request).encode()


def argument(name: str, rows: np.ndarray) -> Body:
    """A JSON object whose keys are the parameters of a service's method."""
    return JSON, json.dumps({"rows": rows.tolist()}).encode()


Form = Callable[[str, np.ndarray], Body]

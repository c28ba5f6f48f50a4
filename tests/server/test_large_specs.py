"""Models with very many class labels start, forked or spawned, and answer."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.served import Served

Serve = Callable[..., Served]
Model = Callable[..., Path]

UNIFORM = """
import numpy as np
import pandas as pd
def load_model(code_dir):
    return 1
def score(data, model, class_labels, **kwargs):
    shares = np.full((len(data), len(class_labels)), 1 / len(class_labels))
    return pd.DataFrame(shares, columns=class_labels)
"""


@pytest.mark.parametrize("spawned", [False, True])
def test_twelve_thousand_labels(serve: Serve, model: Model, tmp_path: Path, spawned: bool) -> None:
    """2.4 MB of labels are more than a frame's meta may be."""
    labels = [f"{i:0200}" for i in range(12_000)]
    file = tmp_path / "labels.txt"
    file.write_text("\n".join(labels), encoding="utf-8")
    python = ["--python", sys.executable] if spawned else []
    flags = ["--target-type", "multiclass", "--class-labels-file", file, *python]
    served = serve(model(UNIFORM), *flags)
    reply = served.post("/predict/", "a\n1\n", "text/csv")
    assert reply.status_code == 200
    (row,) = reply.json()["predictions"]
    assert list(row) == labels
    assert "spawning instead" not in served.err

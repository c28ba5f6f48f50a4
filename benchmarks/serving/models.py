"""The two models that every peer serves, trained by its own scikit-learn: ``models.py OUT_DIR``.

Both are binary classifiers on the same random rows: a LogisticRegression on 4 columns and a
HistGradientBoostingClassifier on 20. Run by the interpreter of each peer's environment, so that no
peer reads a pickle of another version.
"""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np

WIDTHS = {"logistic": 4, "boosting": 20}
LABELS = ("no", "yes")


def columns(name: str) -> list[str]:
    return [f"f{i}" for i in range(WIDTHS[name])]


def data(name: str, rows: int, seed: int = 0) -> np.ndarray:
    """Rows of six decimals, as text carries them exactly."""
    cells = np.random.default_rng(seed).normal(size=(rows, WIDTHS[name]))
    return np.round(cells, 6)


def train(name: str) -> Any:
    import pandas as pd
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression

    rows = pd.DataFrame(data(name, 2000, seed=1), columns=columns(name))
    odd = (rows["f0"] - rows["f1"] * rows["f2"] > 0).to_numpy()
    kind = {"logistic": LogisticRegression, "boosting": HistGradientBoostingClassifier}[name]
    return kind().fit(rows, np.array(LABELS)[odd.astype(int)])


def make(out: Path) -> None:
    """Write ``NAME/model.pkl`` and ``NAME/expected.json``: P(yes) of the first row of the load."""
    import pandas as pd

    for name in WIDTHS:
        model, folder = train(name), out / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.pkl").write_bytes(pickle.dumps(model))
        first = pd.DataFrame(data(name, 1), columns=columns(name))
        (folder / "expected.json").write_text(json.dumps(model.predict_proba(first)[0].tolist()))


if __name__ == "__main__":
    make(Path(sys.argv[1]))

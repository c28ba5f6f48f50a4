"""Make scikit-learn models, an input and scikit-learn's own predictions: ``make.py SCENARIO... OUT_DIR``.

One scenario goes to ``OUT_DIR`` itself; several, or ``all``, to a folder each. The data ships with
scikit-learn. Needs ``pip install 'polyhost[sklearn]'``.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

Made = tuple[Any, pd.DataFrame, pd.DataFrame]
"""A fitted model, an input, and the native predictions of that input."""


def regression() -> Made:
    data = load_diabetes(as_frame=True)
    model = RandomForestRegressor(n_estimators=50, random_state=1).fit(data.data, data.target)
    return model, data.data, pd.DataFrame({"Predictions": model.predict(data.data)})


def binary() -> Made:
    data = load_breast_cancer(as_frame=True)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return classified(model, data)


def multiclass() -> Made:
    return classified(
        RandomForestClassifier(n_estimators=50, random_state=1), load_iris(as_frame=True)
    )


def classified(model: Any, data: Any) -> Made:
    model.fit(data.data, data.target_names[data.target])
    probabilities = model.predict_proba(data.data)
    return model, data.data, pd.DataFrame(probabilities, columns=model.classes_)


SCENARIOS: dict[str, Callable[[], Made]] = {
    "regression": regression,
    "binary": binary,
    "multiclass": multiclass,
}


def make(name: str, folder: Path) -> None:
    model, rows, expected = SCENARIOS[name]()
    (folder / "model").mkdir(parents=True, exist_ok=True)
    with (folder / "model" / "model.pkl").open("wb") as file:
        pickle.dump(model, file)
    rows.to_csv(folder / "input.csv", index=False)
    expected.to_csv(folder / "expected.csv", index=False)


def main(arguments: list[str]) -> int:
    *names, out = arguments
    names = list(SCENARIOS) if names == ["all"] else names
    for name in names:
        make(name, Path(out) if len(names) == 1 and "all" not in arguments else Path(out) / name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""H2O models with every kind of column, trained and exported by H2O itself.

In ``tests``: ``python -m differential.h2o_models OUT_DIR``.

Each is a MOJO, ``NAME.zip``; those in ``POJOS`` are a POJO, ``NAME.java``, as well.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import h2o
import numpy as np
import pandas as pd
from h2o.estimators import (
    H2ODeepLearningEstimator,
    H2OGeneralizedLinearEstimator,
    H2OGradientBoostingEstimator,
    H2OIsolationForestEstimator,
    H2ORandomForestEstimator,
    H2OXGBoostEstimator,
)
from models.builtin.java.make import own_h2o

ROWS = 400
KINDS = {
    "code": "enum",
    "word": "enum",
    "flag": "enum",
    "half": "enum",
    "size": "numeric",
    "day": "time",
}
TREES: dict[str, Any] = {"ntrees": 20, "max_depth": 4, "seed": 7}


def encoded(encoding: str) -> Any:
    return H2OGradientBoostingEstimator(categorical_encoding=encoding, **TREES)


MODELS: dict[str, tuple[str | None, Any]] = {
    "gbm": ("y", lambda: H2OGradientBoostingEstimator(model_id="gbm", **TREES)),
    "one_hot": ("y", lambda: encoded("one_hot_explicit")),
    "binary_encoded": ("y", lambda: encoded("binary")),
    "label_encoded": ("y", lambda: encoded("label_encoder")),
    "eigen": ("y", lambda: encoded("eigen")),
    "limited": ("y", lambda: encoded("enum_limited")),
    "xgboost": ("y", lambda: H2OXGBoostEstimator(**TREES)),
    "deep": (
        "y",
        lambda: H2ODeepLearningEstimator(hidden=[6], epochs=2, seed=7, reproducible=True),
    ),
    "glm": ("y", lambda: H2OGeneralizedLinearEstimator(model_id="glm", seed=7)),
    "anomaly": (None, lambda: H2OIsolationForestEstimator(ntrees=10, seed=7)),
    "binomial": ("cls", lambda: H2ORandomForestEstimator(**TREES)),
    "multinomial": ("cls3", lambda: H2OGradientBoostingEstimator(**TREES)),
    "digits": ("bit", lambda: H2OGradientBoostingEstimator(**TREES)),
}
CALIBRATED = {
    "platt": ("cls", "PlattScaling"),
    "isotonic": ("cls", "IsotonicRegression"),
    "platt_digits": ("bit", "PlattScaling"),
}
POJOS = ("gbm", "glm")


def data() -> pd.DataFrame:
    """Codes of digits, words (``NA`` is one of them), booleans, fractions as levels, and days."""
    rng = np.random.default_rng(3)
    code, word = rng.choice(["1", "2", "10"], ROWS), rng.choice(["red", "NA", "blue sky"], ROWS)
    flag, half = rng.choice(["true", "false"], ROWS), rng.choice(["0.5", "1.5", "2.0"], ROWS)
    size, days = rng.normal(size=ROWS).round(3), rng.integers(0, 1000, ROWS)
    y = code.astype(float) * 3 + 5 * (flag == "true") + size + days / 100 + 2 * half.astype(float)
    y += np.select([word == "NA", word == "red"], [8, 2], 0)
    frame = pd.DataFrame({"code": code, "word": word, "flag": flag, "half": half, "size": size})
    frame["day"] = (pd.Timestamp("2020-01-01") + pd.to_timedelta(days, "D")).strftime("%Y-%m-%d")
    frame["y"] = y.round(3)
    frame["cls"] = np.where(y > y.mean(), "hi", "lo")
    frame["cls3"] = np.digitize(y, np.quantile(y, [0.3, 0.6])).astype(str)
    frame["bit"] = (y > y.mean()).astype(int).astype(str)
    frame.loc[rng.choice(ROWS, 30, replace=False), ["code", "size"]] = None
    return frame


def upload(folder: Path) -> Any:
    """The frame, of which an empty cell is missing and ``NA`` a word."""
    data().to_csv(folder / "train.csv", index=False)
    kinds = {**KINDS, "y": "numeric", "cls": "enum", "cls3": "enum", "bit": "enum"}
    return h2o.upload_file(
        str(folder / "train.csv"), header=1, col_types=kinds, na_strings=[[""]] * len(kinds)
    )


def make(folder: Path) -> None:
    frame = upload(folder)
    levels = frame["word"].levels()[0]
    assert levels == ["NA", "blue sky", "red"], levels
    assert frame["code"].isna().sum() == 30, "empty cells are missing"
    for name, (target, estimator) in MODELS.items():
        export(estimator(), name, target, frame, folder)
    for name, (target, method) in CALIBRATED.items():
        estimator = H2OGradientBoostingEstimator(
            calibrate_model=True,
            calibration_frame=frame[:100, :],
            calibration_method=method,
            **TREES,
        )
        export(estimator, name, target, frame, folder)


def export(estimator: Any, name: str, target: str | None, frame: Any, folder: Path) -> None:
    estimator.train(x=list(KINDS), y=target, training_frame=frame)
    estimator.download_mojo(path=str(folder / f"{name}.zip"))
    if name in POJOS:
        estimator.download_pojo(path=str(folder), get_genmodel_jar=False)


if __name__ == "__main__":
    with own_h2o():
        make(Path(sys.argv[1]))

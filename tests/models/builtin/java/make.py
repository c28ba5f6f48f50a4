"""Make H2O models, an input and H2O's own predictions of it: ``make.py SCENARIO... OUT_DIR``.

Needs ``pip install 'polyhost[h2o,sklearn]'`` and Java. One scenario goes to ``OUT_DIR`` itself;
several, or ``all``, to a folder each. The data ships with scikit-learn. Every input has rows that
training never saw: missing cells, levels that do not exist, and cells that are no numbers.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h2o
import pandas as pd
from h2o.backend import H2OLocalServer
from h2o.estimators import (
    H2ODeepLearningEstimator,
    H2OGeneralizedLinearEstimator,
    H2OGradientBoostingEstimator,
    H2OIsolationForestEstimator,
    H2OKMeansEstimator,
    H2ORandomForestEstimator,
    H2OXGBoostEstimator,
)
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris


@dataclass(frozen=True)
class Data:
    """A frame to train on; ``levels`` names the columns of categories."""

    frame: pd.DataFrame
    target: str
    levels: tuple[str, ...] = ()


def diabetes() -> Data:
    """A categorical column of digits, which reads as numbers to whoever sniffs."""
    bunch = load_diabetes(scaled=False, as_frame=True)
    frame = bunch.frame.rename(columns={"target": "progression"})
    return Data(frame.assign(sex=frame["sex"].astype(int).astype(str)), "progression", ("sex",))


def cancer() -> Data:
    bunch = load_breast_cancer(as_frame=True)
    frame = bunch.data.assign(diagnosis=bunch.target_names[bunch.target])
    return Data(frame, "diagnosis", ("diagnosis",))


def iris() -> Data:
    bunch = load_iris(as_frame=True)
    frame = bunch.data.assign(species=bunch.target_names[bunch.target])
    return Data(frame, "species", ("species",))


def petals() -> Data:
    """Iris again: the species, a category of words, helps to predict the width of a petal."""
    return Data(iris().frame, "petal width (cm)", ("species",))


@dataclass(frozen=True)
class Scenario:
    data: Callable[[], Data]
    estimator: Callable[..., Any]
    settings: dict[str, Any] = field(default_factory=dict)
    pojo: bool = False


TREES = {"ntrees": 20, "max_depth": 4, "seed": 7}
SCENARIOS = {
    "regression": Scenario(diabetes, H2OGradientBoostingEstimator, TREES),
    "binary": Scenario(cancer, H2OGradientBoostingEstimator, TREES),
    "multiclass": Scenario(iris, H2OGradientBoostingEstimator, TREES),
    "regression_pojo": Scenario(diabetes, H2OGradientBoostingEstimator, TREES, pojo=True),
    "binary_pojo": Scenario(cancer, H2OGradientBoostingEstimator, TREES, pojo=True),
    "multiclass_pojo": Scenario(iris, H2OGradientBoostingEstimator, TREES, pojo=True),
    "regression_drf": Scenario(diabetes, H2ORandomForestEstimator, TREES),
    "regression_words": Scenario(petals, H2OGradientBoostingEstimator, TREES),
    "regression_offset": Scenario(
        diabetes, H2OGeneralizedLinearEstimator, {"offset_column": "bmi", "seed": 7}
    ),
    "regression_encoded": Scenario(
        petals,
        H2OGradientBoostingEstimator,
        {**TREES, "categorical_encoding": "one_hot_explicit"},
    ),
    "regression_deep": Scenario(
        petals,
        H2ODeepLearningEstimator,
        {"hidden": [8], "epochs": 2, "seed": 7, "reproducible": True},
    ),
    "binary_glm": Scenario(
        cancer, H2OGeneralizedLinearEstimator, {"family": "binomial", "seed": 7}
    ),
    "binary_xgboost": Scenario(cancer, H2OXGBoostEstimator, TREES),
    "anomaly": Scenario(diabetes, H2OIsolationForestEstimator, {"ntrees": 20, "seed": 7}),
    "clusters": Scenario(iris, H2OKMeansEstimator, {"k": 3, "seed": 7}),
}
UNSUPERVISED = (H2OIsolationForestEstimator, H2OKMeansEstimator)


def make(name: str, out: Path) -> None:
    """Write ``model/``, ``input.csv`` and ``expected.csv`` of one scenario."""
    scenario = SCENARIOS[name]
    data = scenario.data()
    model = train(name, scenario, data)
    (out / "model").mkdir(parents=True, exist_ok=True)
    if scenario.pojo:
        model.download_pojo(path=str(out / "model"), get_genmodel_jar=False)
    else:
        model.download_mojo(path=str(out / "model" / "model.zip"))
    rows = held_out(data)
    rows.to_csv(out / "input.csv", index=False)
    predictions(model, data, out / "input.csv").to_csv(out / "expected.csv", index=False)


def train(name: str, scenario: Scenario, data: Data) -> Any:
    model = scenario.estimator(model_id=name, **scenario.settings)
    features = [name for name in data.frame.columns if name != data.target]
    training = h2o.H2OFrame(data.frame, column_types=types(data))
    if isinstance(model, UNSUPERVISED):
        model.train(x=features, training_frame=training)
    else:
        model.train(x=features, y=data.target, training_frame=training)
    return model


def types(data: Data) -> dict[str, str]:
    return {name: "enum" if name in data.levels else "numeric" for name in data.frame.columns}


def held_out(data: Data) -> pd.DataFrame:
    """Every seventh row, then rows with what training never saw."""
    rows = data.frame.drop(columns=data.target).iloc[::7].astype(object)
    strange = rows.head(4).copy()
    for i, name in enumerate(rows.columns):
        strange.iloc[i % 3, i] = None
        if name in data.levels:
            strange.iloc[3, i] = "never seen"
    return pd.concat([rows, strange])


def predictions(model: Any, data: Data, rows: Path) -> pd.DataFrame:
    wanted = {name: kind for name, kind in types(data).items() if name != data.target}
    frame = h2o.import_file(str(rows), col_types=wanted, header=1)
    answer = model.predict(frame).as_data_frame(use_pandas=False)
    width = len(answer[0])  # H2O leaves out what is missing at the end of a row
    padded = [row + [""] * (width - len(row)) for row in answer[1:]]
    table = pd.DataFrame(padded, columns=answer[0])
    labels = [name for name in table.columns if name not in ("predict", "mean_length")]
    if labels:
        return table[labels]
    return table[["predict"]].rename(columns={"predict": "Predictions"})


@contextlib.contextmanager
def own_h2o() -> Iterator[None]:
    """An H2O of our own on the loopback, and its end."""
    server = H2OLocalServer.start(
        nthreads=1, max_mem_size=1 << 30, bind_to_localhost=True, port="54400+", verbose=False
    )
    try:
        h2o.connect(server=server, verbose=False)
        h2o.no_progress()
        yield
        h2o.connection().close()
    finally:
        server.shutdown()


def main(arguments: list[str]) -> None:
    *names, out = arguments
    wanted = list(SCENARIOS) if names == ["all"] else names
    with own_h2o():
        for name in wanted:
            make(name, Path(out) if len(wanted) == 1 else Path(out, name))


if __name__ == "__main__":
    main(sys.argv[1:])

"""Predictions of Keras models by polyhost and by Keras itself, as JSON on the last line."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from polyhost.bridges.python.frameworks import built_in
from polyhost.data.payload import Payload
from polyhost.data.target import Target, TargetType
from polyhost.errors import LoadError, SchemaMismatch
from polyhost.pipeline.pipeline import open_predictor
from polyhost.predictor import ModelSpec

FRAME = pd.DataFrame(np.random.default_rng(1).normal(size=(40, 3)), columns=["x", "y", "z"])
ROWS = FRAME.to_numpy(np.float32)
VALUE = Target(TargetType.REGRESSION)
BINARY = Target(TargetType.BINARY, ("yes", "no"))
CLASSES = Target(TargetType.MULTICLASS, ("a", "b", "c"))


def network(units: int, activation: str | None) -> keras.Model:
    layers = [keras.layers.Dense(5, "relu"), keras.layers.Dense(units, activation)]
    return keras.Sequential([keras.Input((3,)), *layers])


def opened(folder: Path, model: keras.Model, target: Target, name: str = "model.keras"):
    code_dir = Path(os.path.join(folder, f"{len(os.listdir(folder))}"))
    code_dir.mkdir()
    model.save(code_dir / name)
    return open_predictor(ModelSpec(code_dir, "python", target, artifacts=(Path(name),)))


def predictions(predictor) -> pd.DataFrame:
    body = FRAME.to_csv(index=False).encode()
    return predictor.predict(Payload(body, "text/csv")).predictions.to_pandas()


def main(folder: Path) -> None:
    found = {}
    value = network(1, None)
    for name in ("model.keras", "model.h5"):
        found[f"value {name}"] = predictions(opened(folder, value, VALUE, name)).iloc[:, 0].tolist()
    found["own value"] = value.predict(ROWS, verbose=0)[:, 0].tolist()
    binary = network(1, "sigmoid")
    answer = predictions(opened(folder, binary, BINARY))
    found["binary columns"], found["binary"] = list(answer), answer["yes"].tolist()
    found["own binary"] = binary.predict(ROWS, verbose=0)[:, 0].tolist()
    classes = network(3, "softmax")
    predictor = opened(folder, classes, CLASSES)
    answer = predictions(predictor)
    found["classes columns"], found["classes"] = list(answer), answer.to_numpy().ravel().tolist()
    found["own classes"] = classes.predict(ROWS, verbose=0).ravel().tolist()
    info = predictor.info
    found["info"] = [info.guest.framework, info.guest.matrix, info.batchable]
    try:
        opened(folder, classes, BINARY)
    except LoadError as error:
        found["refused"] = error.message
    pipeline = make_pipeline(StandardScaler().fit(ROWS), value)
    known = built_in(pipeline, VALUE)
    assert known is not None
    found["pipeline"] = known.predict(FRAME).columns[0].tolist()
    scaled = pipeline[0].transform(ROWS)
    found["own pipeline"] = value.predict(scaled, verbose=0)[:, 0].tolist()
    found.update(several_inputs(folder))
    print("\n" + json.dumps(found))


CODES = ["007", "1000", "NA", "true"]


def several_inputs(folder: Path) -> dict[str, object]:
    """A text, a pair of numbers and a whole number, as inputs by name."""
    code = keras.Input((1,), name="code", dtype="string")
    pair = keras.Input((2,), name="pair")
    count = keras.Input((1,), name="count", dtype="int32")
    looked = keras.layers.StringLookup(vocabulary=CODES, output_mode="one_hot")(code)
    inner = keras.layers.Flatten()(keras.layers.Embedding(5, 2)(count))
    joined = keras.layers.Concatenate()([looked, pair, inner])
    model = keras.Model([code, pair, count], keras.layers.Dense(1)(joined))
    frame = pd.DataFrame(
        {"count": [0, 1, 2, 4], "pair.1": [0.5, 1.5, 2.5, 3.5], "code": CODES, "pair.0": 1.0}
    )
    predictor = opened(folder, model, VALUE)
    own = model.predict(
        [
            tf.constant([[code] for code in CODES]),
            frame[["pair.0", "pair.1"]].to_numpy(np.float32),
            frame[["count"]].to_numpy(np.int32),
        ],
        verbose=0,
    )

    def ask(rows: pd.DataFrame) -> list[float]:
        body = rows.to_csv(index=False).encode()
        return predictor.predict(Payload(body, "text/csv")).predictions.columns[0].tolist()

    try:
        ask(frame.assign(count=1.5))
        refused = ""
    except SchemaMismatch as error:
        refused = error.message
    return {
        "inputs": ask(frame),
        "inputs alone": [ask(frame.iloc[[i]])[0] for i in range(4)],
        "own inputs": own[:, 0].tolist(),
        "input columns": [[c.name, c.kind] for c in predictor.info.guest.columns],
        "input refused": refused,
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))

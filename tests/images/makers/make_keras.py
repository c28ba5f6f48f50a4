"""Make a Keras model, an input and Keras's own predictions: ``make_keras.py SCENARIO OUT_DIR``."""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd

out = Path(sys.argv[2])
rows = np.arange(30, dtype=np.float32).reshape(10, 3) / 8
keras.utils.set_random_seed(7)
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(1)])
model.compile("adam", "mse")
model.fit(rows, rows.sum(axis=1), epochs=2, verbose=0)
(out / "model").mkdir()
model.save(out / "model" / "model.keras")
pd.DataFrame(rows, columns=["a", "b", "c"]).to_csv(out / "input.csv", index=False)
native = model.predict(rows, verbose=0)
pd.DataFrame({"Predictions": native[:, 0]}).to_csv(out / "expected.csv", index=False)

"""Make an XGBoost model, an input and XGBoost's own predictions: ``make_xgboost.py SCENARIO OUT_DIR``."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import pandas as pd
import xgboost
from sklearn.datasets import load_diabetes

out = Path(sys.argv[2])
data = load_diabetes(as_frame=True)
model = xgboost.XGBRegressor(n_estimators=20, max_depth=3).fit(data.data, data.target)
(out / "model").mkdir()
(out / "model" / "model.pkl").write_bytes(pickle.dumps(model))
data.data.to_csv(out / "input.csv", index=False)
native = model.predict(pd.read_csv(out / "input.csv"))
pd.DataFrame({"Predictions": native}).to_csv(out / "expected.csv", index=False)

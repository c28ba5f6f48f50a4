"""Make two scikit-learn models and scikit-learn's own predictions: ``make.py DATA.csv OUT_DIR``."""

from __future__ import annotations

import pickle
import shutil
import sys
from pathlib import Path

import pandas as pd
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import LinearRegression

HERE = Path(__file__).resolve().parent


def main(data: Path, out: Path) -> None:
    frame = pd.read_csv(data)
    rows, target = frame.drop(columns="target"), frame["target"]

    boosted = GradientBoostingRegressor(n_estimators=50, random_state=1).fit(rows, target)
    folder = out / "sklearn-pickle"
    folder.mkdir(parents=True)
    (folder / "model.pkl").write_bytes(pickle.dumps(boosted))
    pd.DataFrame({"Predictions": boosted.predict(rows)}).to_csv(folder / "native.csv", index=False)

    linear = LinearRegression().fit(rows, target)
    folder = out / "python-hooks"
    shutil.copytree(HERE / "hooks", folder, ignore=shutil.ignore_patterns("__pycache__"))
    weights = {"name": ["(intercept)", *rows.columns], "weight": [linear.intercept_, *linear.coef_]}
    pd.DataFrame(weights).to_csv(folder / "weights.csv", index=False)
    pd.DataFrame({"Predictions": linear.predict(rows)}).to_csv(folder / "native.csv", index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

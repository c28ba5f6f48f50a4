"""The table of flavors in docs/mlflow.md, from what the tests found.

PYTHONPATH=tests python -m flavors.table      writes it into the page
"""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "tests" / "specimens" / "mlflow" / "flavors.json"
PAGE = ROOT / "docs" / "mlflow.md"
_TABLE = re.compile(r"(<!-- flavors -->\n).*?(<!-- end -->)", re.DOTALL)
NOTES = {
    "python_function": "a PythonModel is pickled by MLflow's class; a loader module of the model's "
    "own code needs no MLflow",
    "sklearn": "pickle, cloudpickle, or skops where it is installed; `predict_fn` of the file",
    "xgboost": "boosters and wrappers, in XGBoost's own file",
    "lightgbm": "boosters in LightGBM's own text, wrappers as pickles",
    "onnx": "ONNX Runtime with the providers of the file; a frame's answer is flattened as by MLflow",
    "statsmodels": "a time series takes one row with `start` and `end`",
    "keras": "`.keras`, HDF5 of MLflow 1.x, or a SavedModel",
    "keras_of_r": "as the R package of MLflow wrote it; today's MLflow in Python does not load it",
    "h2o": "an H2O server of the worker's own; needs Java and the `h2o` that saved the model",
}
OTHERS = {
    "crate": ("native", "by R, with neither `mlflow` nor `carrier`; also `r_crate`, `r_function`"),
    "tensorflow, spacy, prophet, pmdarima, spark, pytorch, paddle, transformers, sentence_transformers, johnsnowlabs, langchain and others": (
        "with mlflow",
        "by their loader modules, as any flavor with `python_function`; not each in these tests",
    ),
    "fastai, diviner, promptflow": (
        "with an older mlflow",
        "today's MLflow has no loader for them: the last with it is 2.22",
    ),
    "gluon": (
        "cannot",
        "MXNet, its library, is no longer developed; the last MLflow with it is 2.18",
    ),
    "mleap": ("cannot", "it has no `python_function`; the last MLflow with it is 2.22"),
}


def table() -> str:
    """The table as Markdown."""
    found = dict(json.loads(FILE.read_text(encoding="utf-8")))
    rows = [(f"`{name}`", how, NOTES.get(name, "")) for name, how in found.items()]
    rows += [(name, how, why) for name, (how, why) in OTHERS.items()]
    ranked = sorted(rows, key=lambda row: _ORDER.index(row[1]))
    lines = ["| flavor | served | how, or why not |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {how} | {why} |" for name, how, why in ranked)]) + "\n"


_ORDER = ("native", "with mlflow", "with an older mlflow", "cannot")


def page(text: str) -> str:
    """The page with the table as it must be."""
    return _TABLE.sub(lambda found: found[1] + table() + found[2], text)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")

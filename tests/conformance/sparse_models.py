"""Models whose hooks read a sparse table, in the languages that have one."""

from __future__ import annotations

from pathlib import Path

SCORE, TRANSFORM = "sparse_score", "sparse_transform"
NAMES = (SCORE, TRANSFORM)
TEXTS = {
    "python": """
import pandas as pd

def load_model(code_dir):
    return "a model"

def score(data, model, sparse_colnames, **kwargs):
    assert data.dtypes.map(str).str.startswith("Sparse").all()
    name = "b c" if sparse_colnames else data.columns[1]
    return pd.DataFrame({"Predictions": 10 * data[name].to_numpy() + data.sum(axis=1).to_numpy()})

def transform_(data, model):
    return 2 * data
""",
    "r": """
load_model <- function(code_dir) "a model"

score <- function(data, model, ...) {
  stopifnot(inherits(data, "dgTMatrix"))
  name <- if (is.null(colnames(data))) 2 else "b c"
  data.frame(Predictions = 10 * data[, name] + Matrix::rowSums(data))
}

transform_ <- function(X, transformer, y) 2 * X
""",
}
FILES = {"python": "custom.py", "r": "custom.R"}


def write(language: str, name: str, into: Path) -> Path:
    """The code dir of one of ``NAMES``, which says its own target type."""
    folder = into / name
    folder.mkdir()
    text, target = TEXTS[language], "regression"
    if name == TRANSFORM:
        text = text.replace("score", "unused").replace("transform_", "transform")
        target = "transform"
    (folder / FILES[language]).write_text(text, encoding="utf-8")
    metadata = f"name: {name}\ntype: inference\ntargetType: {target}\n"
    (folder / "model-metadata.yaml").write_text(metadata, encoding="utf-8")
    return folder

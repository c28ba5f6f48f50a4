"""The models and the rows of the benchmark: ``models.py OUT_DIR ROWS``.

Twenty columns of random numbers with six decimals; a binary model of each language that can be trained
here: scikit-learn's histogram gradient boosting, an H2O GBM (needs ``pip install h2o``), a caret random forest.
"""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

COLUMNS = [f"c{i}" for i in range(20)]
BLOCK = 100_000
TRAINING = 8000


def rows(count: int, seed: int) -> Any:
    import pandas as pd

    cells = np.random.default_rng(seed).normal(size=(count, len(COLUMNS)))
    return pd.DataFrame(np.round(cells, 6), columns=COLUMNS)


def training() -> tuple[Any, np.ndarray]:
    table = rows(TRAINING, 1)
    noise = np.random.default_rng(2).normal(size=TRAINING)
    return table, np.where(table["c0"] + table["c1"] * table["c2"] + noise > 0, "yes", "no")


def write_rows(folder: Path, count: int) -> None:
    """Write rows.csv and rows.parquet, a block at a time."""
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema([(name, pa.float64()) for name in COLUMNS])
    with (
        open(folder / "rows.csv", "w") as text,
        parquet.ParquetWriter(folder / "rows.parquet", schema) as columns,
    ):
        for start in range(0, count, BLOCK):
            table = rows(min(BLOCK, count - start), 100 + start)
            table.to_csv(text, index=False, header=start == 0)
            columns.write_table(pa.Table.from_pandas(table, schema, preserve_index=False))


def python(folder: Path) -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier

    table, target = training()
    folder.mkdir(parents=True, exist_ok=True)
    model = HistGradientBoostingClassifier(random_state=1).fit(table, target)
    (folder / "model.pkl").write_bytes(pickle.dumps(model))


def java(folder: Path) -> None:
    import h2o
    from h2o.estimators import H2OGradientBoostingEstimator

    table, target = training()
    h2o.init(nthreads=2, max_mem_size="1g")
    try:
        frame = h2o.H2OFrame(table.assign(y=target))
        frame["y"] = frame["y"].asfactor()
        model = H2OGradientBoostingEstimator(ntrees=100, max_depth=5, seed=1)
        model.train(y="y", training_frame=frame)
        folder.mkdir(parents=True, exist_ok=True)
        model.download_mojo(str(folder / "model.zip"))
    finally:
        h2o.cluster().shutdown()


R_TRAIN = """
suppressPackageStartupMessages(library(caret))
args <- commandArgs(trailingOnly = TRUE)
rows <- read.csv(args[1])
target <- factor(rows$y)
rows$y <- NULL
once <- trainControl(method = "none", classProbs = TRUE)
set.seed(1)
model <- train(rows, target, method = "rf", ntree = 50, tuneGrid = data.frame(mtry = 4), trControl = once)
saveRDS(model, args[2])
"""


def r(folder: Path) -> None:
    table, target = training()
    folder.mkdir(parents=True, exist_ok=True)
    table.assign(y=target).to_csv(folder.parent / "training.csv", index=False)
    script = folder.parent / "train.R"
    script.write_text(R_TRAIN)
    data, model = folder.parent / "training.csv", folder / "model.rds"
    subprocess.run(["Rscript", script, data, model], check=True)


def make(out: Path, count: int) -> None:
    """Write what is not there yet."""
    out.mkdir(parents=True, exist_ok=True)
    stamp = out / "rows"
    if not stamp.exists() or stamp.read_text() != str(count):
        write_rows(out, count)
        stamp.write_text(str(count))
    for name, train in (("python", python), ("java", java), ("r", r)):
        folder = out / name
        if not folder.exists():
            try:
                train(folder)
            except Exception as error:
                shutil.rmtree(folder, ignore_errors=True)
                print(f"no model in {name}: {error}", file=sys.stderr)


if __name__ == "__main__":
    make(Path(sys.argv[1]), int(sys.argv[2]))

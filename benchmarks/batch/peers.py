"""What the same rows are scored by: the command of each, from CSV to CSV unless its name says otherwise."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

LABELS = ("--positive-class-label", "yes", "--negative-class-label", "no")
POLYHOST = (sys.executable, "-m", "polyhost", "score", "--overwrite", "--target-type", "binary")
CACHE = Path(os.environ.get("POLYHOST_BENCH_CACHE") or Path.home() / ".cache/polyhost-bench")

SCRIPT = """
import pickle, sys
import pandas as pd
model = pickle.load(open(sys.argv[1], "rb"))
rows = pd.read_csv(sys.argv[2])
pd.DataFrame(model.predict_proba(rows), columns=model.classes_).to_csv(sys.argv[3], index=False)
"""
R_SCRIPT = """
suppressPackageStartupMessages(library(caret))
args <- commandArgs(trailingOnly = TRUE)
model <- readRDS(args[1])
rows <- read.csv(args[2])
write.csv(predict(model, rows, type = "prob"), args[3], row.names = FALSE)
"""


@dataclass(frozen=True)
class Peer:
    """One way to score. ``language`` is the folder of its model."""

    name: str
    language: str
    command: Callable[[Path, Path], Sequence[str | Path]]


def _polyhost(language: str, ending: str = "csv", *more: str) -> Peer:
    def command(folder: Path, output: Path) -> Sequence[str | Path]:
        rows = folder / f"rows.{ending}"
        places = ("-cd", folder / language, "--input", rows, "--output", output)
        return [*POLYHOST, *LABELS, *places, *more]

    arrow = "Parquet to Parquet" if ending == "parquet" else "CSV to CSV"
    return Peer(f"polyhost, {arrow}", language, command)


def _pandas(folder: Path, output: Path) -> Sequence[str | Path]:
    model = folder / "python" / "model.pkl"
    return [sys.executable, "-c", SCRIPT, model, folder / "rows.csv", output]


def _r(folder: Path, output: Path) -> Sequence[str | Path]:
    script = folder / "score.R"
    script.write_text(R_SCRIPT)
    return ["Rscript", script, folder / "r" / "model.rds", folder / "rows.csv", output]


def _h2o(folder: Path, output: Path) -> Sequence[str | Path]:
    jars = os.environ["H2O_GENMODEL_JAR"]
    mojo, rows = folder / "java" / "model.zip", folder / "rows.csv"
    tool = "hex.genmodel.tools.PredictCsv"
    files = ("--mojo", mojo, "--input", rows, "--output", output)
    return ["java", "-cp", jars, tool, *files, "--decimal"]


def _drum(folder: Path, output: Path) -> Sequence[str | Path]:
    places = ("-cd", folder / "python", "--input", folder / "rows.csv", "--output", output)
    return [CACHE / "drum" / "bin" / "drum", "score", "--target-type", "binary", *LABELS, *places]


def peers() -> list[Peer]:
    """Those that can run here."""
    found = [
        _polyhost("python"),
        _polyhost("python", "parquet"),
        Peer("script: read_csv, predict_proba, to_csv", "python", _pandas),
        _polyhost("java"),
        _polyhost("r"),
        Peer("script: read.csv, predict, write.csv", "r", _r),
    ]
    if (CACHE / "drum" / "bin" / "drum").exists():
        found.append(Peer("drum score", "python", _drum))
    if "H2O_GENMODEL_JAR" in os.environ:
        found.append(Peer("hex.genmodel.tools.PredictCsv", "java", _h2o))
    return found

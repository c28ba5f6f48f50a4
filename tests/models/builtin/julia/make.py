"""Make a Julia model, an input and Julia's own predictions of it: ``make.py SCENARIO... OUT_DIR``.

Needs scikit-learn, whose data sets are used, and ``julia``. One scenario goes to ``OUT_DIR``
itself; several, or ``all``, to a folder each. The model is trained, serialized and asked in plain
Julia (``train.jl``); JLSO.jl has no part in it, so the container is written by ``jlso_writer``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import jlso_writer  # noqa: E402


def diabetes() -> pd.DataFrame:
    return load_diabetes(scaled=False, as_frame=True).frame


def cancer() -> pd.DataFrame:
    bunch = load_breast_cancer(as_frame=True)
    names = [name.replace(" ", "_") for name in bunch.data.columns]
    return bunch.data.set_axis(names, axis=1).assign(target=bunch.target_names[bunch.target])


def iris() -> pd.DataFrame:
    bunch = load_iris(as_frame=True)
    return bunch.data.assign(target=bunch.target_names[bunch.target])


SCENARIOS: dict[str, Callable[[], pd.DataFrame]] = {
    "regression": diabetes,
    "binary": cancer,
    "multiclass": iris,
}


def make(name: str, out: Path) -> None:
    """Write ``model/``, ``input.csv`` and ``expected.csv`` of one scenario."""
    frame = SCENARIOS[name]()
    (out / "model").mkdir(parents=True, exist_ok=True)
    held_out(frame).to_csv(out / "input.csv", index=False)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder)
        frame.to_csv(made / "training.csv", index=False)
        train(made / "training.csv", out / "input.csv", name, made)
        shutil.copy(made / "expected.csv", out / "expected.csv")
        artifact = jlso_writer.write(
            {"model": (made / "object").read_bytes()},
            julia=(made / "version").read_text(),
            compression="gzip",
        )
    (out / "model" / "model.jlso").write_bytes(artifact)
    shutil.copy(HERE / "custom.jl", out / "model" / "custom.jl")


def held_out(frame: pd.DataFrame) -> pd.DataFrame:
    """Every seventh row without its target, the first of them with gaps."""
    rows = frame.drop(columns="target").iloc[::7].astype(object)
    for i in range(min(3, rows.shape[1])):
        rows.iloc[i, i] = None
    return rows


def train(training: Path, rows: Path, name: str, out: Path) -> None:
    kind = "regression" if name == "regression" else "classification"
    julia = os.environ.get("POLYHOST_JULIA", "julia")
    command = [julia, "--startup-file=no", HERE / "train.jl", training, rows, "target", kind, out]
    subprocess.run(command, check=True)


def main(arguments: list[str]) -> None:
    *names, out = arguments
    wanted = list(SCENARIOS) if names == ["all"] else names
    for name in wanted:
        make(name, Path(out) if len(wanted) == 1 else Path(out, name))


if __name__ == "__main__":
    main(sys.argv[1:])

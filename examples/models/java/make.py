"""Make H2O models and H2O's own predictions: ``make.py DATA.csv OUT_DIR``.

A GBM, saved as MOJO and as POJO, and a GLM, whose coefficients the hooks load.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import h2o
import pandas as pd
from h2o.backend import H2OLocalServer
from h2o.estimators import H2OGeneralizedLinearEstimator, H2OGradientBoostingEstimator

HERE = Path(__file__).resolve().parent


def main(data: Path, out: Path) -> None:
    frame = h2o.import_file(str(data))
    features = [name for name in frame.columns if name != "target"]

    boosted = H2OGradientBoostingEstimator(ntrees=50, max_depth=4, seed=1, model_id="boosted")
    boosted.train(x=features, y="target", training_frame=frame)
    for name in ("h2o-mojo", "h2o-pojo"):
        (out / name).mkdir(parents=True)
        write_native(boosted, frame, out / name)
    boosted.download_mojo(path=str(out / "h2o-mojo"))
    boosted.download_pojo(path=str(out / "h2o-pojo"), get_genmodel_jar=False)

    linear = H2OGeneralizedLinearEstimator(family="gaussian", lambda_=0, seed=1)
    linear.train(x=features, y="target", training_frame=frame)
    folder = out / "java-hooks"
    shutil.copytree(HERE / "hooks", folder)
    lines = [f"{name},{weight!r}" for name, weight in linear.coef().items()]
    (folder / "weights.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    write_native(linear, frame, folder)


def write_native(model: object, frame: object, folder: Path) -> None:
    answer = model.predict(frame).as_data_frame(use_pandas=False)
    rows = [float(row[0]) for row in answer[1:]]
    pd.DataFrame({"Predictions": rows}).to_csv(folder / "native.csv", index=False)


def run(data: Path, out: Path) -> None:
    """An H2O server of our own, on the loopback, for as long as it takes."""
    with tempfile.TemporaryDirectory() as logs:
        tempfile.tempdir = logs  # where H2O puts its logs, and leaves them
        run_with_h2o(data, out)


def run_with_h2o(data: Path, out: Path) -> None:
    """Make the models in an H2O of our own."""
    server = H2OLocalServer.start(
        nthreads=1, max_mem_size=1 << 30, bind_to_localhost=True, port="54500+", verbose=False
    )
    try:
        h2o.connect(server=server, verbose=False)
        h2o.no_progress()
        main(data, out)
        h2o.connection().close()
    finally:
        server.shutdown()


if __name__ == "__main__":
    run(Path(sys.argv[1]), Path(sys.argv[2]))

"""The peer of the hop benchmark: a bare FastAPI app that predicts in its own process.

``python bare_app.py KIND MODEL PORT``: KIND ``sklearn`` predicts a pickle from a numpy array;
``mojo`` predicts an H2O MOJO through JPype, one ``double[]`` a row. No DataFrame, no validation.
"""

from __future__ import annotations

import pickle
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI, Request

Predict = Callable[[np.ndarray], Any]


def sklearn_model(path: str) -> Predict:
    with open(path, "rb") as file:
        model = pickle.load(file)
    warnings.filterwarnings("ignore", message="X does not have valid feature names")
    return lambda rows: model.predict_proba(rows).tolist()


def mojo_model(path: str) -> Predict:
    import jpype

    from polyhost.bridges.java.jars import class_path

    jpype.startJVM("-Xrs", "-Xmx512m", classpath=[str(jar) for jar in class_path()])
    model = jpype.JClass("hex.genmodel.MojoModel").load(path)
    size = int(model.getPredsSize(model.getModelCategory()))
    doubles = jpype.JArray(jpype.JDouble)

    def predict(rows: np.ndarray) -> Any:
        return [list(model.score0(doubles(row), doubles(size)))[1:] for row in rows]

    return predict


def main() -> None:
    kind, path, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    predict = {"sklearn": sklearn_model, "mojo": mojo_model}[kind](path)
    app = FastAPI()

    @app.get("/ping")
    async def ping() -> dict[str, str]:
        return {"message": "OK"}

    @app.post("/predict/")
    async def handle(request: Request) -> dict[str, Any]:
        body = await request.json()
        rows = np.asarray(body["dataframe_split"]["data"], dtype=np.float64)
        return {"predictions": predict(rows)}

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()

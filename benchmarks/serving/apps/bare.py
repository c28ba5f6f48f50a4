"""The bare peer: a FastAPI app that predicts in its own process, with no check of any kind.

    python bare.py numpy|frame MODEL PORT

``numpy`` hands the model a matrix, ``frame`` a DataFrame with the columns' names, as most tutorials
do. ``POST /predict/`` takes ``dataframe_split`` JSON and CSV.
"""

from __future__ import annotations

import io
import pickle
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import uvicorn
from fastapi import FastAPI, Request


def main() -> None:
    kind, path, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    model = pickle.loads(Path(path).read_bytes())
    warnings.filterwarnings("ignore", message="X does not have valid feature names")
    app = FastAPI()

    @app.get("/ping")
    async def ping() -> dict[str, str]:
        return {"message": "OK"}

    @app.post("/predict/")
    async def predict(request: Request) -> dict[str, Any]:
        if request.headers["content-type"].startswith("text/csv"):
            frame = pd.read_csv(io.BytesIO(await request.body()))
            rows = frame.to_numpy() if kind == "numpy" else frame
        else:
            table = (await request.json())["dataframe_split"]
            if kind == "numpy":
                rows = np.asarray(table["data"], dtype=np.float64)
            else:
                rows = pd.DataFrame(table["data"], columns=table["columns"])
        return {"predictions": model.predict_proba(rows).tolist()}

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()

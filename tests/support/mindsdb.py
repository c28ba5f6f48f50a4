"""MindsDB's ray_serve and mlflow handlers as they call a server, of both generations.

Written from how they behave: what is sent, and what an answer must be to be understood.
"""

from __future__ import annotations

import io
import json
from typing import Any

import httpx
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

TYPE = {"content-type": "application/json; format=pandas-records"}


class HandlerError(Exception):
    """What the user of MindsDB sees of a failure."""


def train(client: httpx.Client, url: str, frame: pd.DataFrame, target: str, **args: Any) -> None:
    """The handler's ``create``: the body's ``status`` counts, the HTTP status does not."""
    using = {"train_url": url, "predict_url": url, "target": target, **args}
    if args.get("is_parquet"):
        form = {"args": json.dumps(using), "target": target}
        reply = client.post(url, files={"df": ("df", _parquet(frame), _BYTES)}, data=form)
    else:
        body = {"df": frame.to_json(orient="records"), "target": target, "args": using}
        reply = client.post(url, content=json.dumps(body), headers=TYPE)
    try:
        status = reply.json()["status"]
    except json.JSONDecodeError:
        raise HandlerError(reply.text) from None
    if status != "ok":
        raise HandlerError(status)


_BYTES = "application/octet-stream"


def _parquet(frame: pd.DataFrame) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(pa.Table.from_pandas(frame), sink)
    return sink.getvalue()


def predict(
    client: httpx.Client, url: str, frame: pd.DataFrame, target: str, *, is_parquet: bool = False
) -> pd.DataFrame:
    """The handler's ``predict``: what has a ``prediction`` is an answer, whatever its status."""
    if is_parquet:
        files = {"df": ("df", _parquet(frame), _BYTES)}
        reply = client.post(url, files=files, data={"pred_args": "{}"})
    else:
        body = {"df": frame.to_json(orient="records"), "pred_args": {}}
        reply = client.post(url, content=json.dumps(body), headers=TYPE)
    found: Any
    if _BYTES in reply.headers["content-type"]:
        found = parquet.read_table(io.BytesIO(reply.content)).to_pandas().to_dict("list")
    else:
        found = reply.json()
    if "prediction" not in found:
        raise HandlerError(found)
    found[target] = found.pop("prediction")
    return pd.DataFrame(found)


def predict_2022(client: httpx.Client, url: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The ``ray_server`` format of 2022: columns in a string, holes as NaN."""
    columns = {
        name: {str(i): cell for i, cell in enumerate(cells)}
        for name, cells in frame.to_dict("list").items()
    }
    reply = client.post(url, json={"df": json.dumps(columns)})
    return pd.DataFrame(reply.json())


def predict_mlflow(
    client: httpx.Client, url: str, frame: pd.DataFrame, target: str
) -> pd.DataFrame:
    """The mlflow handler: it asks without a body first, then wants a bare list."""
    assert client.post(url).status_code not in (404, 405)
    reply = client.post(url, content=frame.to_json(orient="records"), headers=TYPE)
    return pd.DataFrame({target: reply.json()})

"""What KServe's own client sees of a server, as JSON: ``kserve_session.py URL GRPC_ADDRESS``."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import numpy as np
import pandas as pd
from cloudevents.http import CloudEvent, from_http, to_binary, to_structured
from kserve import (
    InferenceGRPCClient,
    InferenceRESTClient,
    InferInput,
    InferRequest,
    RESTConfig,
)

ROWS = [[5.1, 3.5, 1.4, 0.2], [6.2, 2.9, 4.3, 1.3], [7.7, 2.6, 6.9, 2.3]]
COLUMNS = ("sepal_length", "sepal_width", "petal_length", "petal_width")


async def main(url: str, address: str) -> dict[str, Any]:
    v1 = InferenceRESTClient(RESTConfig(protocol="v1", retries=0))
    v2 = InferenceRESTClient(RESTConfig(protocol="v2", retries=0))
    records = [dict(zip(reversed(COLUMNS), reversed(row), strict=True)) for row in ROWS]
    table = {name: [row[i] for row in ROWS] for i, name in enumerate(COLUMNS)}

    async def predict(**body: Any) -> Any:
        return (await v1.infer(url, body, "iris"))["predictions"]

    seen: dict[str, Any] = {
        "live": [await v1.is_server_live(url), await v2.is_server_live(url)],
        "ready": await v2.is_server_ready(url),
        "model": [await v1.is_model_ready(url, "iris"), await v2.is_model_ready(url, "iris")],
        "lists": await predict(instances=ROWS),
        "objects": await predict(instances=records),
        "columns": await predict(instances=[table]),
        "inputs": await predict(inputs=ROWS, instances=[[0, 0, 0, 0]]),
        "probabilities": await predict(instances=ROWS, parameters={"return_proba": True}),
        "explain": await _failure(v1.explain(url, "iris", {"instances": ROWS})),
        "unknown": await _failure(v1.infer(url, {"instances": ROWS}, "other")),
        "unknown ready": await _failure(v1.is_model_ready(url, "other")),
        "no rows": await _failure(v1.infer(url, {"rows": ROWS}, "iris")),
        "raises": await _failure(v1.infer(url, {"instances": ROWS}, "raises")),
    }
    for binary in (False, True):
        seen[f"v2 binary={binary}"] = _labels(await v2.infer(url, _matrix(binary), "iris"))
    frame = pd.DataFrame(ROWS, columns=list(COLUMNS))[list(reversed(COLUMNS))]
    inputs = [InferInput(n, [len(frame)], "FP64", frame[n].tolist()) for n in frame.columns]
    seen["v2 frame"] = _labels(await v2.infer(url, InferRequest("iris", inputs), "iris"))
    async with InferenceGRPCClient(address) as grpc:
        seen["grpc ready"] = [await grpc.is_server_live(), await grpc.is_model_ready("iris")]
        seen["grpc"] = _labels(await grpc.infer(_matrix(True)))
    attributes = {"type": "test", "source": "tests", "id": "one"}
    event = CloudEvent(attributes, {"instances": ROWS})
    for name, form in (("structured", to_structured), ("binary", to_binary)):
        headers, body = form(event)
        seen[f"event {name}"] = await _event(v1, url, headers, body)
    headers, body = to_binary(event)
    del headers["ce-source"]
    seen["event without source"] = (await _post(v1, url, headers, body)).status_code
    return seen


def _matrix(binary: bool) -> InferRequest:
    tensor = InferInput("x", [len(ROWS), 4], "FP64")
    tensor.set_data_from_numpy(np.array(ROWS), binary_data=binary)
    return InferRequest("iris", [tensor], request_id="mine")


def _labels(response: Any) -> list[str]:
    (output,) = response.outputs
    return [v.decode() if isinstance(v, bytes) else v for v in output.as_numpy().tolist()]


async def _post(client: InferenceRESTClient, url: str, headers: Any, body: bytes) -> Any:
    place = f"{url}/v1/models/iris:predict"
    return await client._client.post(place, content=body, headers=dict(headers))


async def _event(client: InferenceRESTClient, url: str, headers: Any, body: bytes) -> Any:
    reply = await _post(client, url, headers, body)
    answer = from_http(reply.headers, reply.content)
    names = ("specversion", "type", "source")
    return [
        [answer[name] for name in names],
        answer["id"] != "one",
        reply.headers["content-type"],
        answer.data if isinstance(answer.data, dict) else json.loads(answer.data),
    ]


async def _failure(call: Any) -> list[Any]:
    try:
        return [200, await call]
    except Exception as error:
        response = getattr(error, "response", None)
        return [getattr(response, "status_code", None), str(error)]


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(*sys.argv[1:]))))

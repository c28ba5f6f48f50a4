"""What tritonclient sees of a server, as JSON: ``triton_session.py http|grpc ADDRESS``."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

ROWS = np.array([[5.1, 3.5, 1.4, 0.2], [6.2, 2.9, 4.3, 1.3], [7.7, 2.6, 6.9, 2.3]])
COLUMNS = ("sepal_length", "sepal_width", "petal_length", "petal_width")


def main(kind: str, address: str) -> dict[str, Any]:
    api = importlib.import_module(f"tritonclient.{kind}")
    client = api.InferenceServerClient(address)

    def tensor(name: str, values: np.ndarray, datatype: str, **options: Any) -> Any:
        found = api.InferInput(name, list(values.shape), datatype)
        found.set_data_from_numpy(values, **options)
        return found

    def infer(model: str, inputs: list[Any], *outputs: str, **options: Any) -> Any:
        wanted = [api.InferRequestedOutput(name) for name in outputs] or None
        return client.infer(model, inputs, outputs=wanted, **options)

    def plain(values: np.ndarray) -> Any:
        found = values.tolist()
        return [v.decode() if isinstance(v, bytes) else v for v in found]

    matrix = [tensor("x", ROWS, "FP64")]
    # In an order of their own, one of them as a column of one width.
    order = (2, 0, 3, 1)
    columns = [tensor(COLUMNS[i], ROWS[:, i].astype("f4").reshape(-1, 1), "FP32") for i in order]
    answer = infer("iris", matrix, "predict_proba", "predict", request_id="mine")
    response = answer.get_response()
    seen: dict[str, Any] = {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "model": client.is_model_ready("iris", "1"),
        "extensions": list(_as_dict(client.get_server_metadata())["extensions"]),
        "metadata": _shapes(_as_dict(client.get_model_metadata("iris"))),
        "index": _index(client.get_model_repository_index()),
        "labels": plain(infer("iris", matrix).as_numpy("predict")),
        "probabilities": answer.as_numpy("predict_proba").tolist(),
        "same labels": plain(answer.as_numpy("predict")),
        "id": response["id"] if kind == "http" else response.id,
        "columns": plain(infer("iris", columns).as_numpy("predict")),
        "value": infer("sums", matrix).as_numpy("predict").tolist(),
        "bytes": plain(infer("bytes", [_bytes(api)]).as_numpy("predict")),
        "packed": plain(infer("iris", matrix, **_compressed(kind)).as_numpy("predict")),
        "many": float(infer("sums", [_many(tensor)]).as_numpy("predict").sum()),
    }
    if kind == "http":
        json_only = [tensor("x", ROWS, "FP64", binary_data=False)]
        wanted = [api.InferRequestedOutput("predict_proba", binary_data=False)]
        found = client.infer("iris", json_only, outputs=wanted)
        seen["json"] = found.as_numpy("predict_proba").tolist()
    seen["errors"] = {
        "model": _error(lambda: infer("other", matrix)),
        "version": _error(lambda: infer("iris", matrix, model_version="9")),
        "width": _error(lambda: infer("iris", [tensor("x", ROWS[:, :3], "FP64")])),
        "output": _error(lambda: infer("iris", matrix, "other")),
        "load": _error(lambda: client.load_model("other")),
        "late": _error(lambda: infer("slow", matrix)),
        "raises": _error(lambda: infer("raises", matrix)),
    }
    client.unload_model("sums")
    seen["unloaded"] = [client.is_model_ready("sums"), _index(client.get_model_repository_index())]
    seen["errors"]["unloaded"] = _error(lambda: infer("sums", matrix))
    client.load_model("sums")
    seen["loaded"] = infer("sums", matrix).as_numpy("predict").tolist()
    return seen


def _bytes(api: Any) -> Any:
    found = api.InferInput("body", [1], "BYTES")
    found.set_data_from_numpy(np.array([b"abc"], dtype=object))
    return found


def _many(tensor: Callable[..., Any]) -> Any:
    """Eight megabytes, twice what gRPC takes by itself."""
    return tensor("x", np.ones((250_000, 4)), "FP64")


def _compressed(kind: str) -> dict[str, str]:
    if kind == "grpc":
        return {"compression_algorithm": "gzip"}
    return {"request_compression_algorithm": "deflate", "response_compression_algorithm": "gzip"}


def _as_dict(found: Any) -> dict[str, Any]:
    if isinstance(found, dict):
        return found
    from google.protobuf.json_format import MessageToDict

    return MessageToDict(found, preserving_proto_field_name=True)


def _shapes(found: dict[str, Any]) -> Any:
    return {
        side: [[t["name"], t["datatype"], [int(n) for n in t["shape"]]] for t in found[side]]
        for side in ("inputs", "outputs")
    }


def _index(found: Any) -> dict[str, str]:
    models = found if isinstance(found, list) else _as_dict(found)["models"]
    return {model["name"]: model["state"] for model in models}


def _error(call: Callable[[], Any]) -> list[str]:
    try:
        call()
    except Exception as error:
        status = getattr(error, "status", lambda: None)()
        return [str(status).removeprefix("StatusCode."), error.message()]  # type: ignore[attr-defined]
    return ["no error", ""]


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))

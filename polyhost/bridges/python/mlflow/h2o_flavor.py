"""The flavor ``h2o``: a binary model, in an H2O server that this worker starts for itself.

The server needs Java, and H2O's package in the version that saved the model. It ends with the worker.
"""

from __future__ import annotations

import os
import socket
from typing import Any, Dict, Mapping

from polyhost.bridges.python.frameworks.libraries import library
from polyhost.bridges.python.mlflow.plain import PlainModel
from polyhost.bridges.python.mlflow.saved import SavedModel
from polyhost.errors import LoadError

NAME = "h2o"
_OWN = ("url", "ip", "port", "start_h2o", "bind_to_localhost", "name")
"""Settings of ``h2o.init`` that name a server of the machine that saved the model."""


def load(model: SavedModel) -> PlainModel:
    """The model of a folder, in a server of its own."""
    h2o: Any = library(NAME)
    attributes = model.attributes(NAME)
    folder = str(attributes.get("data") or model.pyfunc.get("data") or "model.h2o")
    described = _described(model, folder)
    path = model.file(os.path.join(folder, str(described.get("model_file"))))
    given = {k: v for k, v in dict(described.get("init") or {}).items() if k not in _OWN}
    name = f"polyhost_{os.getpid()}"
    h2o.init(ip="127.0.0.1", port=_free_port(), name=name, bind_to_localhost=True, **given)
    h2o.no_progress()
    loaded = h2o.upload_model(str(path)) if hasattr(h2o, "upload_model") else None
    if loaded is None:
        loaded = h2o.load_model(str(path))
    types = _types(loaded)

    def predict(frame: Any) -> Any:
        columns = {name: kind for name, kind in types.items() if name in frame.columns}
        answer = loaded.predict(h2o.H2OFrame(frame, column_types=columns or None))
        found = answer.as_data_frame(use_multi_thread=False)
        found.index = frame.index
        return found

    return PlainModel(NAME, loaded, predict)


def _described(model: SavedModel, folder: str) -> Mapping[str, Any]:
    import yaml

    path = model.file(os.path.join(folder, "h2o.yaml"))
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(found, Mapping) or "model_file" not in found:
        raise LoadError(f"{path} does not name the model's file.", language="python")
    return found


def _types(loaded: Any) -> Dict[str, str]:
    """What the model's columns are, so that no cell is guessed from the others of a request."""
    output = getattr(loaded, "_model_json", {}).get("output", {})
    names, kinds = output.get("names") or [], output.get("column_types") or []
    known = {"Numeric": "numeric", "Enum": "enum", "String": "string", "Time": "time"}
    return {n: known[k] for n, k in zip(names, kinds) if k in known}


def _free_port() -> int:
    """A port that is free, with the next one, which H2O takes for its own traffic."""
    for _ in range(50):
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                second.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port
    raise LoadError("no two free ports in a row for H2O's server.", language="python")

"""The input example of a model that MLflow saved, as a body of its protocol."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Mapping, Optional, Tuple

from polyhost.predictor import ModelSpec

OPTION = "mlmodel"
LONGEST = 8 << 20
_TYPE = "application/json"


def body_of(spec: ModelSpec) -> Optional[Tuple[Path, str, bytes]]:
    """The file, the type of the body and the body; None where there is none that can be sent.

    Today's MLflow keeps a body ready; older ones keep the example as it was given.
    """
    info = (spec.options.get(OPTION) or {}).get("example")
    if not isinstance(info, Mapping):
        return None
    ready, plain = info.get("serving_input_path"), info.get("artifact_path")
    for name, is_ready in ((ready, True), (plain, False)):
        path = _inside(spec.code_dir, name)
        if path is None:
            continue
        data = path.read_bytes()
        body = data if is_ready else _wrapped(info, data)
        if body is not None:
            return path, _TYPE, body
    return None


def _inside(folder: Path, name: Any) -> Optional[Path]:
    """A file of the folder; None where there is none of this name, or it is too large."""
    if not isinstance(name, str):
        return None
    root, real = os.path.realpath(folder), os.path.realpath(folder / name)
    if os.path.commonpath((real, root)) != root or not os.path.isfile(real):
        return None
    return folder / name if os.path.getsize(real) <= LONGEST else None


def _wrapped(info: Mapping[str, Any], data: bytes) -> Optional[bytes]:
    """An example as it was given, as a body; None for what JSON cannot send, a sparse matrix."""
    kind = str(info.get("type"))
    if kind.startswith("sparse"):
        return None
    value = json.loads(data)
    params = {}
    if str(info.get("params")).lower() == "true" and isinstance(value, dict):
        params = {"params": value.get("params")}
        value = value.get("inputs")
    elif isinstance(value, dict) and set(value) == {"inputs"}:  # of 1.15 to 2.x
        return data
    if kind == "dataframe":
        return json.dumps({"dataframe_split": value, **params}).encode()
    return json.dumps({"inputs": value, **params}).encode()

"""Folders as MLflow saves them, written without it."""

from __future__ import annotations

import json
import pickle
import shutil
import textwrap
from pathlib import Path
from typing import Any

import yaml

ECHO = Path(__file__).parent / "mlflow_echo"
Spec = dict[str, Any]


def write(folder: Path, flavors: Spec, *, signature: Spec | None = None, **others: Any) -> Path:
    """A folder with an ``MLmodel`` file; a signature's parts are JSON texts there."""
    folder.mkdir(parents=True, exist_ok=True)
    document: Spec = {"flavors": flavors, "mlflow_version": "3.17.2", **others}
    if signature is not None:
        document["signature"] = {
            part: None if signature.get(part) is None else json.dumps(signature[part])
            for part in ("inputs", "outputs", "params")
        }
    (folder / "MLmodel").write_text(yaml.safe_dump(document), encoding="utf-8")
    return folder


def of_loader(folder: Path, code: str, *, signature: Spec | None = None, **attributes: Any) -> Path:
    """A model of a loader module of its own, in ``code/own_loader.py``."""
    (folder / "code").mkdir(parents=True)
    (folder / "code" / "own_loader.py").write_text(textwrap.dedent(code), encoding="utf-8")
    flavor = {"loader_module": "own_loader", "code": "code", **attributes}
    return write(folder, {"python_function": flavor}, signature=signature)


def echo(folder: Path, inputs: Any = None, params: Any = None) -> Path:
    """A model of its own loader module that answers with what it was given."""
    shutil.copytree(ECHO, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    flavors = {"python_function": {"loader_module": "echo_loader", "code": "code"}}
    signature = None if inputs is None and params is None else {"inputs": inputs, "params": params}
    return write(folder, flavors, signature=signature)


def sklearn(
    folder: Path, model: Any, *, signature: Spec | None = None, predict_fn: str = "predict"
) -> Path:
    """A pickled estimator as ``mlflow.sklearn.save_model`` leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.pkl").write_bytes(pickle.dumps(model))
    flavors = {
        "python_function": {
            "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
            "loader_module": "mlflow.sklearn",
            "model_path": "model.pkl",
            "predict_fn": predict_fn,
            "python_version": "3.11.7",
        },
        "sklearn": {
            "code": None,
            "pickled_model": "model.pkl",
            "serialization_format": "cloudpickle",
            "sklearn_version": "1.9.1",
        },
    }
    return write(folder, flavors, signature=signature)


def columns(**types: Any) -> list[Spec]:
    """The inputs of a signature: required columns by name, of these types."""
    return [
        {"name": name, "required": True, **({"type": kind} if isinstance(kind, str) else kind)}
        for name, kind in types.items()
    ]

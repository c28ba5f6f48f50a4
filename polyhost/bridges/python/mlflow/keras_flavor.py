"""The flavor ``keras``: a model in Keras's own file, as MLflow in Python or in R wrote it.

1.x of MLflow, and its R package, wrote HDF5; today's writes ``.keras``, or a SavedModel.
"""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any, Callable, Dict, Optional

from polyhost.bridges.python import frames
from polyhost.bridges.python.frameworks.libraries import library
from polyhost.bridges.python.mlflow.plain import PlainModel
from polyhost.bridges.python.mlflow.saved import SavedModel

NAME = "keras"
_FILES = ("model.keras", "model.h5", "model")
_CUSTOM = "custom_objects.cloudpickle"


def load(model: SavedModel) -> PlainModel:
    """The model of a folder."""
    attributes = model.attributes(NAME)
    data = str(attributes.get("data") or model.pyfunc.get("data") or "data")
    path = _file(model, data)
    if path.is_dir():
        loaded: Any = library("tensorflow").saved_model.load(str(path))
        return PlainModel(NAME, loaded, _asked(_served(loaded)))
    custom = _custom_objects(model, data)
    keras = library(NAME)
    loaded = keras.models.load_model(str(path), custom_objects=custom, compile=False)
    return PlainModel(NAME, loaded, _asked(lambda values: loaded.predict(values, verbose=0)))


def _file(model: SavedModel, data: str) -> Path:
    """The file or the SavedModel: what ``data`` names, or the one that lies in it."""
    if os.path.isfile(model.folder / data):
        return model.file(data)
    within = [os.path.join(data, name) for name in _FILES]
    return model.file(*within, f"{data}.keras")


def _served(loaded: Any) -> Callable[[Any], Any]:
    """The function of a SavedModel: ``serve`` of Keras 3, else its default signature's only output."""
    if hasattr(loaded, "serve"):
        return loaded.serve  # type: ignore[no-any-return]
    function = loaded.signatures["serving_default"]
    (name, spec), *_ = function.structured_input_signature[1].items()

    def run(values: Any) -> Any:
        tensorflow = library("tensorflow")
        found = function(**{name: tensorflow.cast(tensorflow.constant(values), spec.dtype)})
        return next(iter(found.values())) if len(found) == 1 else found

    return run


def _custom_objects(model: SavedModel, data: str) -> Optional[Dict[str, Any]]:
    name = os.path.join(data, _CUSTOM)
    if not os.path.isfile(model.folder / name):
        return None
    model.check_pickle()
    found: Dict[str, Any] = pickle.loads(model.file(name).read_bytes())
    return found


def _asked(run: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The answer to a DataFrame as one, to arrays as an array."""

    def predict(data: Any) -> Any:
        if frames.is_frame(data):
            found = run(data.to_numpy())
            return frames.pandas().DataFrame(_array(found), index=data.index)
        return _array(run(data))

    return predict


def _array(found: Any) -> Any:
    return found.numpy() if hasattr(found, "numpy") else found

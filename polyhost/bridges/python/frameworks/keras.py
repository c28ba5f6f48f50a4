"""Keras models, and scikit-learn pipelines that end in one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import numpy as np

from polyhost.bridges.python import frames
from polyhost.bridges.python.frameworks import estimators
from polyhost.bridges.python.frameworks.arrays import ArrayModel, as_table
from polyhost.bridges.python.frameworks.columns import Columns
from polyhost.bridges.python.frameworks.libraries import library, missing
from polyhost.data.payload import Table
from polyhost.data.target import Target
from polyhost.errors import RuntimeUnavailable
from polyhost.predictor import GuestInfo

NAME = "keras"
_HOMES = ("keras.", "tf_keras.", "tensorflow.python.keras.")


class KerasFramework:
    """``Model.predict``, which answers each row of its batches on its own."""

    name = NAME
    extensions = (".h5", ".keras")

    def load(self, artifact: Path) -> Any:
        return _keras().models.load_model(str(artifact), compile=False)

    def accepts(self, model: Any) -> bool:
        return _is_model(model) or _is_model(estimators.last_step(model))

    def built_in(self, model: Any, target: Target) -> Any:
        if not _is_model(model):
            return PipelineModel(model, target)

        def predict(matrix: np.ndarray) -> Any:
            return model.predict(matrix, verbose=0)

        return ArrayModel(
            NAME,
            target,
            Columns(width=_last(model, "input_shape")),
            predict,
            width=_last(model, "output_shape"),
            row_wise=True,
        )


class PipelineModel:
    """Steps that get a DataFrame, since they may work with names, and the model after them.

    The pipeline's own ``predict`` takes estimators only, which a Keras model is not.
    """

    info = GuestInfo(framework=NAME)

    def __init__(self, pipeline: Any, target: Target) -> None:
        self._before = pipeline[:-1] if len(pipeline.steps) > 1 else None
        self._model = estimators.last_step(pipeline)
        self._target = target

    def predict(self, data: Any) -> Table:
        """Predictions for a DataFrame or a Table."""
        found = frames.from_table(data) if isinstance(data, Table) else data
        if self._before is not None:
            found = self._before.transform(found)
        rows = found.toarray() if hasattr(found, "toarray") else np.asarray(found)
        return as_table(self._model.predict(rows, verbose=0), self._target)


def _keras() -> Any:
    """Keras by itself, which needs a backend, else the one in TensorFlow."""
    try:
        return library("keras")
    except RuntimeUnavailable as error:
        try:
            return library("tensorflow").keras
        except RuntimeUnavailable:
            raise missing("keras", _cause(error)) from error


def _cause(error: BaseException) -> ImportError:
    cause = error.__cause__
    assert isinstance(cause, ImportError)
    return cause


def _is_model(model: Any) -> bool:
    return any(
        kind.__name__ == "Model" and f"{kind.__module__}.".startswith(_HOMES)
        for kind in type(model).__mro__
    )


def _last(model: Any, attribute: str) -> Optional[int]:
    """Columns of a model's only matrix; None where it has several, or is not built yet."""
    try:
        shape = getattr(model, attribute)
    except (AttributeError, ValueError):
        return None
    flat = isinstance(shape, tuple) and len(shape) == 2 and isinstance(shape[-1], int)
    return int(shape[-1]) if flat else None

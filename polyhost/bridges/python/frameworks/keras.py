"""Keras models, and scikit-learn pipelines that end in one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List, Optional, Sequence

import numpy as np

from polyhost.bridges.python import frames
from polyhost.bridges.python.frameworks import estimators
from polyhost.bridges.python.frameworks.arrays import ArrayModel, as_table, check_width
from polyhost.bridges.python.frameworks.columns import Columns
from polyhost.bridges.python.frameworks.given import column_infos as sklearn_columns
from polyhost.bridges.python.frameworks.given import given
from polyhost.bridges.python.frameworks.libraries import library, missing
from polyhost.bridges.python.frameworks.named_inputs import (
    NamedInput,
    column_infos,
    column_names,
    feeds,
)
from polyhost.bridges.python.frameworks.sklearn_schema import inputs_of
from polyhost.data.column_info import INTEGER, TEXT
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

        inputs = _inputs(model)
        if inputs and (len(inputs) > 1 or inputs[0].kind == TEXT):
            return InputsModel(model, inputs, target)

        def predict(matrix: np.ndarray) -> Any:
            return model.predict(matrix, verbose=0)

        return ArrayModel(
            NAME,
            target,
            Columns(width=_last(model, "input_shape")),
            predict,
            dtype=inputs[0].dtype if inputs and inputs[0].kind == INTEGER else np.float32,
            width=_last(model, "output_shape"),
            row_wise=True,
        )


class InputsModel:
    """A model with several inputs, whose columns have their names, or with one of texts."""

    def __init__(self, model: Any, inputs: Sequence[NamedInput], target: Target) -> None:
        check_width(_last(model, "output_shape"), target, NAME)
        self._model = model
        self._inputs = inputs
        self._target = target
        several = len(inputs) > 1
        self._columns = Columns(
            column_names(inputs) if several else None, None if several else inputs[0].width
        )
        self.info = GuestInfo(
            framework=NAME,
            columns=tuple(column_infos(inputs)),
            schema_source="model",
            row_wise=True,
        )

    def predict(self, data: Any) -> Table:
        """Predictions for a DataFrame or a Table."""
        table = data if isinstance(data, Table) else frames.to_table(data)
        order = self._columns.order(table.names)
        columns = table.columns if order is None else [table.columns[i] for i in order]
        found = {
            name: _texts(values) if values.dtype.kind == "O" else values
            for name, values in feeds(self._inputs, columns, table.names).items()
        }
        rows: Any = found if len(found) > 1 else next(iter(found.values()))
        return as_table(self._model.predict(rows, verbose=0), self._target)


class PipelineModel:
    """Steps that get a DataFrame, since they may work with names, and the model after them.

    The pipeline's own ``predict`` takes estimators only, which a Keras model is not.
    """

    def __init__(self, pipeline: Any, target: Target) -> None:
        self._before = pipeline[:-1] if len(pipeline.steps) > 1 else None
        self._model = estimators.last_step(pipeline)
        self._target = target
        self._given = None if self._before is None else inputs_of(self._before)
        columns = () if self._given is None else sklearn_columns(self._given)
        self.info = GuestInfo(
            framework=NAME, columns=columns, schema_source="model" if columns else "nothing"
        )

    def predict(self, data: Any) -> Table:
        """Predictions for a DataFrame or a Table."""
        if self._before is not None and self._given is not None:
            found = self._before.transform(given(self._given, data))
        else:
            found = frames.from_table(data) if isinstance(data, Table) else data
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


def _inputs(model: Any) -> List[NamedInput]:
    """The inputs of a model that knows them: matrices, of types that numpy has too."""
    found = []
    for each in getattr(model, "inputs", None) or ():
        shape = tuple(each.shape)
        kind = _dtype(each.dtype)
        flat = len(shape) == 1 or (len(shape) == 2 and isinstance(shape[1], int))
        if not flat or kind is None:
            return []
        found.append(NamedInput(each.name, kind, shape[1] if len(shape) == 2 else 1))
    return found


def _texts(values: np.ndarray) -> Any:
    """Texts as a tensor, which only TensorFlow has: Keras takes no array of objects."""
    return library("tensorflow").constant(values.tolist())


def _dtype(kind: Any) -> Any:
    """The numpy type of an input, object for text; None for one that numpy lacks."""
    name = str(getattr(kind, "name", kind))
    if name == "string":
        return object
    try:
        return np.dtype(name)
    except TypeError:
        return None


def _last(model: Any, attribute: str) -> Optional[int]:
    """Columns of a model's only matrix; None where it has several, or is not built yet."""
    try:
        shape = getattr(model, attribute)
    except (AttributeError, ValueError):
        return None
    flat = isinstance(shape, tuple) and len(shape) == 2 and isinstance(shape[-1], int)
    return int(shape[-1]) if flat else None

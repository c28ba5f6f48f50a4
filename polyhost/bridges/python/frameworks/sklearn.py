"""scikit-learn estimators, and other libraries' wrappers that are estimators of it."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any, ContextManager, Tuple

import numpy as np

from polyhost.bridges.python import frames
from polyhost.bridges.python.frameworks import estimators, lightgbm, pickled
from polyhost.bridges.python.frameworks.arrays import as_table
from polyhost.bridges.python.frameworks.columns import Columns
from polyhost.data.payload import SparseTable, Table
from polyhost.data.target import Target, TargetType
from polyhost.errors import LoadError, SchemaMismatch
from polyhost.predictor import ColumnInfo, GuestInfo

_VALUES = (TargetType.REGRESSION, TargetType.ANOMALY, TargetType.GEO_POINT)


class SklearnFramework:
    """``predict_proba`` for classification, ``predict`` for regression, anomaly, geo points."""

    name = "scikit-learn"
    extensions = (".pkl", ".joblib")

    def load(self, artifact: Path) -> Any:
        return pickled.load(artifact)

    def accepts(self, model: Any) -> bool:
        return estimators.is_estimator(model)

    def built_in(self, model: Any, target: Target) -> SklearnModel:
        return SklearnModel(model, target)


class SklearnModel:
    """An estimator with its input schema. Numbers reach a plain one as one float64 matrix."""

    def __init__(self, model: Any, target: Target, framework: str = SklearnFramework.name) -> None:
        self._target = target
        self._columns = _columns(model)
        self._matrix = estimators.takes_matrix(model) and self._columns.width is not None
        self._densify = estimators.absent_is_missing(model)
        self._labels = _labels(model, target)
        self._predict = _method(model, target)
        # Names are checked here, so the estimator need not warn that a matrix has none.
        nameless = estimators.without_names(model) if self._matrix else model
        self._predict_matrix = _method(nameless, target)
        self._quiet = self._matrix and estimators.nested_names(nameless)
        self.info = GuestInfo(
            framework=framework,
            labels=self._labels,
            columns=tuple(
                ColumnInfo(name, "number" if self._matrix else "any")
                for name in self._columns.names or ()
            ),
            schema_source="nothing" if self._columns.names is None else "model",
            row_wise=estimators.is_row_wise(model),
            matrix=self._matrix,
            spelling=self._columns.spelling,
        )

    def predict(self, data: Any) -> Table:
        """Predictions for a DataFrame or a Table."""
        others = self._columns.has_others(data)
        try:
            if isinstance(data, SparseTable) and not self._densify:
                found = self._predict_sparse(data)
            elif self._matrix and not others:
                with self._silence():
                    found = self._predict_matrix(self._columns.matrix(data))
            else:
                found = self._predict(self._columns.frame(data, others=True))
        except ValueError as error:
            # What refuses columns that it does not know fails as it does in DRUM, with a 500.
            if others or not estimators.raised_by_library(error):
                raise
            raise _mismatch(error) from error
        return self._to_table(found)

    def _silence(self) -> ContextManager[Any]:
        return estimators.quiet() if self._quiet else nullcontext()

    def _predict_sparse(self, data: SparseTable) -> Any:
        matrix = frames.to_csr(data)
        order = self._columns.order(data.names)
        estimator = self._predict_matrix if self._matrix else self._predict
        with estimators.quiet():
            return estimator(matrix if order is None else matrix[:, order])

    # Output

    def _to_table(self, found: Any) -> Table:
        if isinstance(found, list):  # one array of two columns for each label
            found = np.column_stack([part[:, -1] for part in found])
        return as_table(found, self._target, self._labels)


def _method(model: Any, target: Target) -> Any:
    kind = target.type
    if kind.is_classification:
        if hasattr(model, "predict_proba"):
            return model.predict_proba
        raise LoadError(
            f"{type(model).__name__} has no predict_proba: expected it for target type "
            f"{kind.value!r}. Train it with probabilities, or define a score hook.",
            language="python",
            found=type(model).__name__,
        )
    if kind in _VALUES:
        return model.predict
    raise LoadError(
        f"scikit-learn models answer no {kind.value!r} target: expected classification, "
        "regression, anomaly or geopoint. Define a score hook.",
        language="python",
    )


def _columns(model: Any) -> Columns:
    names, width = getattr(model, "feature_names_in_", None), getattr(model, "n_features_in_", None)
    first = model.steps[0][1] if estimators.last_step(model) is not None else model
    if type(first).__module__ == "lightgbm.sklearn":
        return lightgbm.columns_of(first.booster_)
    return Columns(names, width)


def _labels(model: Any, target: Target) -> Tuple[str, ...]:
    classes = getattr(model, "classes_", None)
    if not target.type.is_classification or classes is None or isinstance(classes, list):
        return ()
    return tuple(str(label) for label in classes)


def _mismatch(error: ValueError) -> SchemaMismatch:
    return SchemaMismatch(
        f"the model cannot take this data: {str(error).rstrip('.')}. Send columns and values such "
        "as it was trained with.",
        native_type=type(error).__name__,
        native_message=str(error),
    )

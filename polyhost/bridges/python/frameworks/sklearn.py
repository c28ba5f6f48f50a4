"""scikit-learn estimators, and other libraries' wrappers that are estimators of it."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any, ContextManager, Dict, List, Optional, Sequence, Tuple

import numpy as np

from polyhost.bridges.python import frames
from polyhost.bridges.python.frameworks import estimators, pickled
from polyhost.errors import LoadError, SchemaMismatch
from polyhost.payload import Dictionary, SparseTable, Table
from polyhost.predictor import ColumnInfo, GuestInfo
from polyhost.target import PREDICTIONS, Target, TargetType

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

    def __init__(self, model: Any, target: Target) -> None:
        names = getattr(model, "feature_names_in_", None)
        self._names: Optional[Tuple[str, ...]] = None if names is None else tuple(names)
        self._width: Optional[int] = getattr(model, "n_features_in_", None)
        self._matrix = estimators.takes_matrix(model) and self._width is not None
        self._labels = _labels(model, target)
        self._predict = _method(model, target)
        # Names are checked here, so the estimator need not warn that a matrix has none.
        nameless = estimators.without_names(model) if self._matrix else model
        self._predict_matrix = _method(nameless, target)
        self._quiet = self._matrix and estimators.nested_names(nameless)
        self._orders: Dict[Tuple[str, ...], Optional[List[int]]] = {}
        self.info = GuestInfo(
            framework=SklearnFramework.name,
            labels=self._labels,
            columns=tuple(
                ColumnInfo(name, "number" if self._matrix else "any") for name in self._names or ()
            ),
            schema_source="nothing" if self._names is None else "model",
            row_wise=estimators.is_row_wise(model),
            matrix=self._matrix,
        )

    def predict(self, data: Any) -> Table:
        """Predictions for a DataFrame or a Table."""
        try:
            if isinstance(data, SparseTable):
                found = self._predict_sparse(data)
            elif self._matrix:
                with self._silence():
                    found = self._predict_matrix(self._to_matrix(data))
            else:
                found = self._predict(self._to_frame(data))
        except ValueError as error:
            if not estimators.raised_by_library(error):
                raise
            raise _mismatch(error) from error
        return self._to_table(found)

    def _silence(self) -> ContextManager[Any]:
        return estimators.quiet() if self._quiet else nullcontext()

    # Input

    def _to_matrix(self, data: Any) -> np.ndarray:
        names = data.names if isinstance(data, Table) else tuple(map(str, data.columns))
        order = self._order(names)
        if isinstance(data, Table) and data.matrix is not None:
            return data.matrix if order is None else data.matrix[:, order]
        positions = range(len(names)) if order is None else order
        if isinstance(data, Table):
            columns: List[Any] = [data.columns[i] for i in positions]
        else:
            columns = [data.iloc[:, i].to_numpy() for i in positions]
        return _stack([names[i] for i in positions], columns)

    def _order(self, names: Tuple[str, ...]) -> Optional[List[int]]:
        """Positions of the model's columns among ``names``; None when they are just those."""
        try:
            return self._orders[names]
        except KeyError:
            order = self._find_order(names)
        if len(self._orders) > 100:  # callers who send ever new columns
            self._orders.clear()
        self._orders[names] = order
        return order

    def _find_order(self, names: Sequence[str]) -> Optional[List[int]]:
        if self._names is None:
            if len(names) != self._width:
                raise SchemaMismatch(
                    f"the model takes {self._width} column(s) by position: found {len(names)}: "
                    f"{_listed(names)}.",
                    expected=self._width,
                    found=list(names),
                )
            return None
        if tuple(names) == self._names:
            return None
        missing = [name for name in self._names if name not in names]
        if missing:
            raise SchemaMismatch(
                f"column(s) {_listed(missing)} are missing: the model expects "
                f"{_listed(self._names)}; found {_listed(names)}.",
                missing=missing,
                expected=list(self._names),
                found=list(names),
            )
        return [list(names).index(name) for name in self._names]

    def _to_frame(self, data: Any) -> Any:
        """A DataFrame with the model's columns first in its order, where all of them came."""
        frame = frames.from_table(data) if isinstance(data, Table) else data
        if self._names is None or not set(self._names) <= set(frame.columns):
            return frame  # the estimator itself says whether it can do without
        if list(frame.columns) == list(self._names):
            return frame
        return frame[list(self._names)]

    def _predict_sparse(self, data: SparseTable) -> Any:
        matrix = frames.to_csr(data)
        order = self._order(data.names)
        estimator = self._predict_matrix if self._matrix else self._predict
        with estimators.quiet():
            return estimator(matrix if order is None else matrix[:, order])

    # Output

    def _to_table(self, found: Any) -> Table:
        if isinstance(found, list):  # one array of two columns for each label
            found = np.column_stack([part[:, -1] for part in found])
        values = np.asarray(found)
        if values.ndim == 1:
            values = values.reshape(-1, 1)
        if self._labels:
            return Table.from_matrix(self._labels, values)
        width = values.shape[1]
        names = [PREDICTIONS] if width == 1 else [""] * width
        if values.dtype.kind == "f":
            return Table.from_matrix(names, values)
        return Table(names, list(values.T))


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


def _labels(model: Any, target: Target) -> Tuple[str, ...]:
    classes = getattr(model, "classes_", None)
    if not target.type.is_classification or classes is None or isinstance(classes, list):
        return ()
    return tuple(str(label) for label in classes)


def _stack(names: Sequence[str], columns: Sequence[Any]) -> np.ndarray:
    rows = len(columns[0]) if columns else 0
    matrix = np.empty((rows, len(columns)))
    for i, column in enumerate(columns):
        values = column.to_objects() if isinstance(column, Dictionary) else column
        try:
            matrix[:, i] = values
        except (TypeError, ValueError) as error:
            raise SchemaMismatch(
                f"column {names[i]!r} must hold numbers: {error}.", column=names[i]
            ) from error
    return matrix


def _mismatch(error: ValueError) -> SchemaMismatch:
    return SchemaMismatch(
        f"the model cannot take this data: {error}",
        native_type=type(error).__name__,
        native_message=str(error),
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names) or "none"

"""scikit-learn estimators, and other libraries' wrappers that are estimators of it."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any, ContextManager, Optional, Tuple

import numpy as np

from polyhost.bridges.python import frames
from polyhost.bridges.python.frameworks import boosters, estimators, linear, pickled
from polyhost.bridges.python.frameworks.arrays import as_table
from polyhost.bridges.python.frameworks.columns import Columns
from polyhost.bridges.python.frameworks.expected import is_missing
from polyhost.bridges.python.frameworks.given import all_numbers, column_infos, given
from polyhost.bridges.python.frameworks.sklearn_schema import Inputs, inputs_of
from polyhost.data.payload import Dictionary, SparseTable, Table
from polyhost.data.target import Target, TargetType
from polyhost.errors import LoadError, SchemaMismatch
from polyhost.pipeline.apply_schema import Schema
from polyhost.predictor import GuestInfo

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
    """An estimator with its input schema. Numbers reach a plain one as one float64 matrix, and so
    do the categories of a booster's wrapper, as their codes."""

    def __init__(self, model: Any, target: Target, framework: str = SklearnFramework.name) -> None:
        self._target = target
        self._inputs = inputs_of(model)
        self._columns = _columns(self._inputs)
        self._matrix = all_numbers(self._inputs) and estimators.takes_matrix(model)
        categories = boosters.has_categories(self._inputs.columns)
        self._coded = categories and boosters.expected_by_wrapper(model) is not None
        self._densify = estimators.absent_is_missing(model)
        self._labels = _labels(model)
        self._predict = _method(model, target)
        # Names are checked before, so the estimator need not warn that a matrix has none.
        by_matrix = self._matrix or self._coded
        nameless = estimators.without_names(model) if by_matrix else model
        self._predict_matrix = linear.direct(nameless, _method(nameless, target))
        self._quiet = by_matrix and estimators.nested_names(nameless)
        columns = column_infos(self._inputs)
        own = estimators.target_of(model)
        self._schema = Schema(columns, rule=self._inputs.spelling)
        self.info = GuestInfo(
            framework=framework,
            labels=self._labels,
            columns=columns,
            schema_source="model" if columns else "nothing",
            row_wise=estimators.is_row_wise(model),
            matrix=self._matrix,
            spelling=self._inputs.spelling,
            target_type=own[0].value if own else None,
        )

    def predict(self, data: Any) -> Table:
        """Predictions for a DataFrame or a Table."""
        others = not isinstance(data, Table) and self._columns.has_others(data)
        try:
            found = self._found(data, others)
        except ValueError as error:
            # What refuses columns that it does not know fails as it does in DRUM, with a 500.
            if others or not estimators.raised_by_library(error):
                raise
            raise mismatch(error, data) from error
        return self._to_table(found)

    def _found(self, data: Any, others: bool) -> Any:
        if isinstance(data, SparseTable) and not self._densify:
            return self._predict_sparse(data)
        if self._coded:
            table = data if isinstance(data, Table) else self._schema.apply(Table.from_pandas(data))
            with self._silence():
                return self._predict_matrix(self._columns.matrix(boosters.coded(table)))
        if self._matrix and not others:
            with self._silence():
                return self._predict_matrix(self._columns.matrix(data))
        if not isinstance(data, Table):
            data = self._columns.frame(data, others=True)
        return self._predict(given(self._inputs, data))

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
        labels = self._labels if self._target.type.is_classification else ()
        return as_table(found, self._target, labels)


class SklearnTransformer:
    """An estimator that transforms rows, with its input schema."""

    def __init__(self, model: Any) -> None:
        self._transform = model.transform
        self._inputs = inputs_of(model)
        columns = column_infos(self._inputs)
        self.info = GuestInfo(
            framework=SklearnFramework.name,
            columns=columns,
            schema_source="model" if columns else "nothing",
        )

    def transform(self, data: Any) -> Any:
        """What the estimator makes of a DataFrame or a Table."""
        try:
            return self._transform(given(self._inputs, data))
        except ValueError as error:
            if not estimators.raised_by_library(error):
                raise
            raise mismatch(error, data) from error


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


def _columns(inputs: Inputs) -> Columns:
    width = None if inputs.columns is None else len(inputs.columns)
    return Columns(inputs.names, width, inputs.spelling)


def _labels(model: Any) -> Tuple[str, ...]:
    classes = getattr(model, "classes_", None)
    if classes is None or isinstance(classes, list):
        return ()
    return tuple(str(label) for label in classes)


def mismatch(error: ValueError, data: Any) -> SchemaMismatch:
    """The caller's mistake that a library's own error reports, with the place where it is known."""
    hole = _first_missing(data) if "NaN" in str(error) else None
    where = (
        "" if hole is None else f" The first missing value is in column {hole[0]!r}, row {hole[1]}."
    )
    return SchemaMismatch(
        f"the model cannot take this data: {str(error).rstrip('.')}.{where} Send columns and values "
        "such as it was trained with.",
        native_type=type(error).__name__,
        native_message=str(error),
    )


def _first_missing(data: Any) -> Optional[Tuple[str, int]]:
    if not isinstance(data, Table) or isinstance(data, SparseTable):
        return None
    for name, column in data:
        if isinstance(column, Dictionary):
            holes = column.codes < 0
        else:
            holes = np.array([is_missing(value) for value in column.tolist()], bool)
        if holes.any():
            return name, int(np.argmax(holes)) + 1
    return None

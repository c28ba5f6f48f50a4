"""An estimator with scikit-learn's interface: a numeric table reaches it as one matrix."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, ContextManager, Mapping, Optional

from polyhost.bridges.python.frameworks import estimators
from polyhost.bridges.python.frameworks.columns import Columns
from polyhost.bridges.python.frameworks.sklearn_schema import inputs_of
from polyhost.bridges.python.mlflow.frames import as_frame
from polyhost.data.payload import Table
from polyhost.errors import LoadError, SchemaMismatch


class EstimatorModel:
    """What the estimator's own method returns for a table, a matrix or whatever else it takes."""

    def __init__(self, model: Any, method: str, framework: str) -> None:
        self.framework = framework
        self.model = model
        self._method = _bound(model, method)
        known = estimators.is_estimator(model)
        inputs = inputs_of(model) if known else None
        self.matrix = known and estimators.takes_matrix(model)
        self.row_wise = known and estimators.is_row_wise(model) and method != "score"
        names = None if inputs is None else inputs.names
        columns = None if inputs is None else inputs.columns
        self._columns = Columns(names, None if columns is None else len(columns))
        nameless = estimators.without_names(model) if self.matrix else model
        self._by_matrix = _bound(nameless, method)
        self._quiet = self.matrix and estimators.nested_names(nameless)

    def predict(self, data: Any, params: Optional[Mapping[str, Any]]) -> Any:
        """The answer of the estimator's method."""
        if isinstance(data, Table):
            if self.matrix and data.matrix is not None and self._fits(data):
                with self._silence():
                    return self._by_matrix(self._columns.matrix(data))
            data = as_frame(data)
        return self._method(data)

    def _fits(self, table: Table) -> bool:
        """Whether the table has the estimator's columns; if not, it says so itself."""
        try:
            self._columns.order(table.names)
        except SchemaMismatch:
            return False
        return not self._columns.has_others(table)

    def _silence(self) -> ContextManager[Any]:
        return estimators.quiet() if self._quiet else nullcontext()


def _bound(model: Any, method: str) -> Any:
    found = getattr(model, method, None)
    if callable(found):
        return found
    raise LoadError(
        f"{type(model).__name__} has no method {method!r}, which the MLmodel file names.",
        language="python",
    )

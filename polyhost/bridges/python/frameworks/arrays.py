"""Models that take one matrix of numbers and name no classes."""

from __future__ import annotations

from typing import Any, Callable, Optional, Sequence

import numpy as np

from polyhost.bridges.python.frameworks.columns import Columns
from polyhost.data.payload import Table
from polyhost.data.target import PREDICTIONS, Target
from polyhost.errors import InvalidOutput, LoadError
from polyhost.predictor import ColumnInfo, GuestInfo


class ArrayModel:
    """A function from a matrix, shape (rows, columns), to predictions, one row each.

    ``width``: columns that it answers, where that is known; checked against the labels.
    """

    def __init__(
        self,
        framework: str,
        target: Target,
        columns: Columns,
        run: Callable[[np.ndarray], Any],
        *,
        dtype: Any = np.float32,
        width: Optional[int] = None,
        row_wise: bool = False,
    ) -> None:
        check_width(width, target, framework)
        self._target = target
        self._columns = columns
        self._run = run
        self._dtype = dtype
        names = columns.names
        self.info = GuestInfo(
            framework=framework,
            columns=tuple(ColumnInfo(name, "number") for name in names or ()),
            schema_source="nothing" if names is None else "model",
            row_wise=row_wise,
            matrix=True,
            spelling=columns.spelling,
        )

    def predict(self, data: Any) -> Table:
        """Predictions for a DataFrame or a Table."""
        return as_table(self._run(self._columns.matrix(data, self._dtype)), self._target)


def as_table(found: Any, target: Target, labels: Sequence[str] = ()) -> Table:
    """An array of predictions as a table; columns of a classification that names no classes
    are called ``""``, and the labels are applied by position."""
    values = np.asarray(found)
    if values.ndim == 1:
        values = values.reshape(-1, 1)
    if values.ndim != 2:
        raise InvalidOutput(
            f"the model answered an array of shape {values.shape}: expected one row for each "
            "input row, with one column or one for each class. Define a score hook.",
            language="python",
            found=list(values.shape),
        )
    names = list(labels)
    if not names:
        width = values.shape[1]
        is_value = width == 1 and not target.type.is_classification
        names = [PREDICTIONS] if is_value else [""] * width
    if values.dtype.kind == "f":
        return Table.from_matrix(names, values)
    return Table(names, list(values.T))


def check_width(width: Optional[int], target: Target, framework: str) -> None:
    """LoadError when a model is known to answer another number of columns than it must."""
    if width is None or not (target.type.is_classification or target.type.is_single_column):
        return
    expected = len(target.labels) if target.type.is_classification else 1
    if width == expected or (width == 1 and expected == 2):
        return
    labels = f" ({', '.join(target.labels)})" if target.labels else ""
    raise LoadError(
        f"the {framework} model answers {width} column(s): expected {expected} for target type "
        f"{target.type.value!r}{labels}. Start it with the target type and the labels that it was "
        "trained for, or define a score hook.",
        language="python",
        expected=expected,
        found=width,
    )

"""Models that take one matrix of numbers and name no classes."""

from __future__ import annotations

from typing import Any, Callable, Optional, Sequence, Tuple

import numpy as np

from polyhost.bridges.python.frameworks import boosters
from polyhost.bridges.python.frameworks.columns import Columns
from polyhost.bridges.python.frameworks.expected import Expected
from polyhost.data.column_info import NUMBER
from polyhost.data.payload import Table
from polyhost.data.target import PREDICTIONS, Target
from polyhost.errors import InvalidOutput, LoadError
from polyhost.pipeline.apply_schema import Schema
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
        expected: Optional[Sequence[Expected]] = None,
        target_type: Optional[str] = None,
    ) -> None:
        check_width(width, target, framework)
        self._target = target
        self._columns = columns
        self._run = run
        self._dtype = dtype
        self._coded = boosters.has_categories(expected)
        infos = _column_infos(columns, expected)
        self._schema = Schema(infos, rule=columns.spelling)
        self.info = GuestInfo(
            framework=framework,
            columns=infos,
            schema_source="model" if infos else "nothing",
            row_wise=row_wise,
            matrix=not self._coded,
            spelling=columns.spelling,
            target_type=target_type,
        )

    def predict(self, data: Any) -> Table:
        """Predictions for a DataFrame or a Table."""
        if self._coded:
            table = data if isinstance(data, Table) else self._schema.apply(Table.from_pandas(data))
            data = boosters.coded(table)
        return as_table(self._run(self._columns.matrix(data, self._dtype)), self._target)


def _column_infos(
    columns: Columns, expected: Optional[Sequence[Expected]]
) -> Tuple[ColumnInfo, ...]:
    """The neutral records of columns, which are numbers unless somebody knows better."""
    if columns.width is None:
        return ()
    names = columns.names or [""] * columns.width
    found = expected or [Expected(NUMBER)] * columns.width
    return tuple(each.info(name) for each, name in zip(found, names))


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

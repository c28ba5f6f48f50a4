"""The output contract: whatever a predictor returned becomes labelled, checked predictions.

Binary, where the model does not name its columns: one value is the positive class's probability,
two values are the negative class first, as the documents of every language promise.
"""

from __future__ import annotations

import datetime
import logging
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np

from polyhost.data.booleans import boolean
from polyhost.data.payload import Column, Dictionary, Scores, Table
from polyhost.data.target import PREDICTIONS, Target, TargetType
from polyhost.errors import InvalidOutput

logger = logging.getLogger(__name__)


def marshal(
    table: Table, target: Target, positive_first: bool = False, missing_rows: bool = False
) -> Table:
    """Labelled and validated predictions; InvalidOutput says what was expected and found.

    ``positive_first`` reads unlabelled binary output the other way round (see the module).
    ``missing_rows`` lets a row pass whose probabilities are all missing.
    """
    if target.type.is_classification:
        return _marshal_classes(table, target, positive_first, missing_rows)
    if target.type is TargetType.ANY:
        return table
    if len(table.names) != 1:
        raise InvalidOutput(
            f"{target.type.value} predictions must contain only 1 column; "
            f"found {len(table.names)}: {_listed(table.names)}.",
            expected=[PREDICTIONS],
            found=list(table.names),
        )
    if table.matrix is not None:
        return Table.from_matrix((PREDICTIONS,), table.matrix)
    if target.type in _NUMERIC:
        _check_numbers(table.columns[0], target)
    return Table((PREDICTIONS,), table.columns)


_NUMERIC = (TargetType.REGRESSION, TargetType.ANOMALY)
_TIMES = (datetime.date, datetime.timedelta, np.datetime64, np.timedelta64)


def _check_numbers(column: Column, target: Target) -> None:
    """InvalidOutput where a prediction that is a number is text, or a date."""
    values: Any = column.to_objects() if isinstance(column, Dictionary) else column
    kind = values.dtype.kind
    if kind in "biufc":
        return
    for row, value in enumerate(values.tolist() if kind == "O" else values):
        text = isinstance(value, (str, bytes))
        if text or isinstance(value, _TIMES):
            raise InvalidOutput(
                f"{target.type.value} predictions must be numbers: row {row} holds "
                f"{repr(value)[:100]}, which is {'text' if text else 'a date or a time'}.",
                expected="number",
                found=str(values.dtype),
            )


def split_extra(table: Table, target: Target) -> Tuple[Table, Optional[Table]]:
    """What a ``score`` hook returned, as prediction columns and the extra columns beside them."""
    if target.type.is_classification:
        if len(table.names) <= len(target.labels):
            return table, None
        wanted = [i for i, name in enumerate(table.names) if name in target.labels]
        missing = [label for label in target.labels if label not in table.names]
        expected: Sequence[str] = target.labels
    else:
        if len(table.names) <= 1 or target.type is TargetType.ANY:
            return table, None
        expected = _value_names(target)
        wanted = [table.names.index(name) for name in expected if name in table.names][:1]
        missing = [] if wanted else [expected[0]]
    if missing:
        raise InvalidOutput(
            f"score returned {len(table.names)} columns without {_listed(missing)}: expected "
            f"{_listed(expected)} beside the extra columns; found {_listed(table.names)}.",
            expected=list(expected),
            found=list(table.names),
        )
    extra = [i for i in range(len(table.names)) if i not in wanted]
    return table.select(wanted), table.select(extra)


def with_extra(error: InvalidOutput, extra: Optional[Table], target: Target) -> InvalidOutput:
    """The error of predictions beside extra columns, which may be classes without a label."""
    if extra is None or not target.type.is_classification:
        return error
    return InvalidOutput(
        f"{error.message} The model was started with the label(s) {_listed(target.labels)}, so that "
        f"the column(s) {_listed(extra.names)} are taken as extra output: if one is a class, start "
        "the model with its label too.",
        **error.facts,
    )


def split_named(table: Table, names: Sequence[str]) -> Tuple[Table, Optional[Table]]:
    """A table without the columns of these names, and those columns; None where there are none."""
    if not names:
        return table, None
    extra = [i for i, name in enumerate(table.names) if name in names]
    others = [i for i in range(len(table.names)) if i not in extra]
    return table.select(others), table.select(extra)


def _value_names(target: Target) -> Tuple[str, ...]:
    """Names under which the single prediction column is looked for."""
    if not target.type.is_text:
        return (PREDICTIONS,)
    name = target.name or PREDICTIONS
    quoted = len(name) > 1 and name[0] == name[-1] == '"'
    return (name, name[1:-1]) if quoted else (name,)


def check_rows(scores: Scores, rows: Optional[int], strict: bool) -> Scores:
    """One output row per input row: an error where it is promised, a warning elsewhere."""
    found = scores.predictions.rows
    if rows is None or found == rows:
        return scores
    message = f"the model returned {found} prediction(s) for {rows} input row(s)"
    if strict:
        raise InvalidOutput(
            f"{message}: expected one output row per input row.", expected=rows, found=found
        )
    logger.warning("%s; strict rows would make this an error", message)
    return scores


def match_labels(names: Sequence[str], labels: Sequence[str]) -> Optional[List[str]]:
    """The request's label of each column, in the columns' order; None when the sets differ.

    Labels are matched as numbers, boolean words or text without case: ``1``, ``1.0``, ``True``
    and ``yes`` are one label.
    """
    if len(set(names)) == len(names) and set(names) == set(labels):
        return list(names)
    known: Dict[Union[float, str], str] = {}
    for label in labels:
        known.setdefault(_standard(label), label)
    found = [_standard(name) for name in names]
    if set(found) != set(known):
        return None
    return [known[key] for key in found]


def _standard(label: str) -> Union[float, str]:
    try:
        return float(label)
    except ValueError:
        pass
    value = boolean(label, none_is_false=True)
    return label.strip().lower() if value is None else float(value)


def _marshal_classes(
    table: Table, target: Target, positive_first: bool, missing_rows: bool
) -> Table:
    probabilities = _numbers(table)
    if any(table.names):
        labels = match_labels(table.names, target.labels)
        if labels is None:
            raise wrong_labels(table.names, target.labels)
    else:
        labels, probabilities = _by_position(probabilities, target, positive_first)
    if probabilities.shape[1] != len(target.labels):
        raise InvalidOutput(
            f"predictions must have the correct number of class labels. Expected "
            f"{len(target.labels)} columns, but received {probabilities.shape[1]}: "
            f"labels {_listed(target.labels)}, columns {_listed(table.names)}.",
            expected=list(target.labels),
            found=list(table.names),
        )
    checked = _without_missing(probabilities) if missing_rows else probabilities
    _check_probabilities(checked, labels, target)
    return Table.from_matrix(labels, probabilities)


def _without_missing(values: np.ndarray) -> np.ndarray:
    """The probabilities with sound ones in each row that has none."""
    missing = np.isnan(values).all(axis=1, keepdims=True)
    return np.where(missing, 1 / values.shape[1], values) if missing.any() else values


def wrong_labels(found: Sequence[str], expected: Sequence[str]) -> InvalidOutput:
    """The error of a model whose classes are not the ones it was started with."""
    return InvalidOutput(
        f"Expected predictions to have columns {list(expected)}, but encountered {list(found)}. "
        "Start the model with the labels it was trained with, or rename the columns in its hook.",
        expected=list(expected),
        found=list(found),
    )


def _by_position(
    values: np.ndarray, target: Target, positive_first: bool
) -> Tuple[List[str], np.ndarray]:
    labels = list(target.labels)
    if target.type is TargetType.BINARY and not positive_first:
        labels.reverse()
    if values.shape[1] == 1 and len(labels) == 2:
        values = np.concatenate((1 - values, values), axis=1)
    return labels, values


def _numbers(table: Table) -> np.ndarray:
    if table.matrix is not None:
        return table.matrix
    columns = [_as_float(name, column) for name, column in table]
    return np.column_stack(columns) if columns else np.empty((table.rows, 0))


def _as_float(name: str, column: Column) -> np.ndarray:
    values: Any = column.to_objects() if isinstance(column, Dictionary) else column
    if values.dtype.kind in "biuf":
        return np.asarray(values)
    try:
        if values.dtype.kind in "mM":
            raise TypeError("a date or a time")
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidOutput(
            f"class probabilities must be numbers: column {name!r} holds something else ({error}).",
            found=str(values.dtype),
        ) from error


def _check_probabilities(values: np.ndarray, labels: Sequence[str], target: Target) -> None:
    if not values.size:
        return
    if values.min() < 0:
        raise _bad_rows("Your prediction has negative values", values, labels, values < 0)
    if values.max() > 1:
        raise _bad_rows("Your prediction has values greater than 1", values, labels, values > 1)
    if target.type is TargetType.MULTILABEL:
        return
    off = np.abs(values.sum(axis=1) - 1.0)
    if not off.max() <= _SUM_TOLERANCE:  # true for NaN as well
        bad = ~(off <= _SUM_TOLERANCE)[:, None]
        raise _bad_rows("Your prediction probabilities do not add up to 1.", values, labels, bad)


_SUM_TOLERANCE = 1e-8 + 1e-5
_ROWS_SHOWN = 10


def _bad_rows(
    problem: str, values: np.ndarray, labels: Sequence[str], bad: np.ndarray
) -> InvalidOutput:
    rows = np.flatnonzero(bad.any(axis=1))
    shown = [
        f"row {row}: {dict(zip(labels, values[row].tolist()))}"
        for row in rows[:_ROWS_SHOWN].tolist()
    ]
    return InvalidOutput(
        f"{problem.rstrip('.')}. Expected probabilities from 0 to 1; {len(rows)} of {len(values)} "
        f"row(s) do not fit: {'; '.join(shown)}.",
        rows=rows[:100].tolist(),
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names) or "none"

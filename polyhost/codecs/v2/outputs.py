"""What a model answered as named tensors: ``predict``, ``predict_proba``, and extra columns."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from polyhost.codecs import predictions
from polyhost.codecs.v2.datatypes import BYTES
from polyhost.codecs.v2.message import Made, Output, Wanted
from polyhost.data.payload import Column, Dictionary, Scores, Table
from polyhost.data.target import TargetType
from polyhost.errors import InvalidInput
from polyhost.formats import json as formats_json
from polyhost.formats.rows import objects
from polyhost.predictor import ModelInfo

PREDICT, PROBABILITIES = "predict", "predict_proba"
"""The names that MLServer's scikit-learn runtime has for them."""
TEXT = {"content_type": "str"}
_BY_KIND = {"b": "BOOL", "f": "FP64", "i": "INT64", "u": "UINT64"}


def classes_of(info: ModelInfo) -> Tuple[str, ...]:
    """Labels in the order of ``predict_proba``: the library's own, else the negative class first."""
    labels, own = info.target.labels, info.guest.labels
    if set(own) == set(labels) and len(own) == len(labels):
        return own
    return tuple(reversed(labels)) if info.target.type is TargetType.BINARY else labels


class Results:
    """The tensors of some rows' scores, each made when it is first asked for."""

    def __init__(self, scores: Scores, info: ModelInfo) -> None:
        self._table = scores.predictions
        self._extra = {} if scores.extra is None else dict(iter(scores.extra))
        self._info = info
        self._target = info.target
        self._made: Dict[str, Made] = {}

    def chosen(self, wanted: Sequence[Wanted], start: int, stop: int) -> List[Output]:
        """Those that a client asks for, else the default ones, of some rows."""
        names = [found.name for found in wanted] or [*self._default, *self._extra]
        return [Output(self._tensor(name), start, stop) for name in names]

    @property
    def _default(self) -> Sequence[str]:
        """Outputs that stand for the predictions; of any answer that is several columns, those."""
        table = self._table
        several = len(table.names) > 1 and table.matrix is None
        return table.names if several and self._target.type is TargetType.ANY else (PREDICT,)

    def _tensor(self, name: str) -> Made:
        found = self._made.get(name)
        if found is None:
            found = self._made[name] = self._make(name)
        return found

    def _make(self, name: str) -> Made:
        if name == PREDICT:
            return self._predict()
        if name == PROBABILITIES and self._target.type.is_classification:
            parameters = {"content_type": "np", "classes": json.dumps(classes_of(self._info))}
            return Made(name, "FP64", self._probabilities(), parameters)
        if name in self._extra:
            return column_output(name, self._extra[name])
        if self._target.type is TargetType.ANY and name in self._table.names:
            return column_output(name, self._table.column(name))
        known = [PREDICT, *([PROBABILITIES] if self._target.type.is_classification else [])]
        raise unknown_output(name, [*known, *self._extra])

    def _probabilities(self) -> np.ndarray:
        """Doubles of shape (rows, classes), in the order of the classes."""
        values = predictions.doubles(self._table)
        places = [self._table.names.index(label) for label in classes_of(self._info)]
        return values if places == list(range(len(places))) else values[:, places]

    def _predict(self) -> Made:
        target = self._target
        if target.type is TargetType.MULTILABEL:
            chosen = (self._probabilities() > 0.5).astype(np.int64)
            return Made(PREDICT, "INT64", chosen, {"content_type": "np"})
        if target.type.is_classification:
            return Made(PREDICT, BYTES, self._labels(), TEXT)
        if target.type.is_numeric:
            values = predictions.doubles(self._table)[:, 0]
            return Made(PREDICT, "FP64", values, {"content_type": "np"})
        if target.type is TargetType.ANY and self._table.matrix is not None:
            matrix = self._table.matrix.astype(np.float64, copy=False)
            return Made(PREDICT, "FP64", matrix, {"content_type": "np"})
        if target.type is TargetType.ANY:
            if len(self._table.names) > 1:
                raise unknown_output(PREDICT, self._table.names)
            return column_output(PREDICT, self._table.columns[0])
        return Made(PREDICT, BYTES, texts(self._table.columns[0]), TEXT)

    def _labels(self) -> np.ndarray:
        """The most probable class of each row; None where the model said none.

        Of equally probable ones the first in the library's order, as scikit-learn has it.
        """
        values = self._probabilities()
        labels = objects([*classes_of(self._info), None])
        places = np.where(np.isnan(values), -np.inf, values).argmax(axis=1)
        return np.asarray(labels[np.where(np.isnan(values).all(axis=1), len(labels) - 1, places)])


def unknown_output(name: str, known: Sequence[str]) -> InvalidInput:
    """The error of a request for an output that the model has not."""
    return InvalidInput(f"there is no output {name!r}: expected one of {', '.join(known)}.")


def column_output(name: str, column: Column) -> Made:
    """A column of a table as a tensor."""
    if not isinstance(column, Dictionary):
        datatype = _BY_KIND.get(column.dtype.kind)
        if datatype is not None:
            kind = {"BOOL": "?", "FP64": "f8", "INT64": "i8", "UINT64": "u8"}[datatype]
            return Made(name, datatype, column.astype(kind, copy=False), {"content_type": "np"})
        if column.dtype.kind == "M":
            return Made(name, BYTES, texts(column), {"content_type": "datetime"})
    return Made(name, BYTES, texts(column), TEXT)


def texts(column: Column) -> np.ndarray:
    """A column as texts and bytes; what is neither as JSON, dates as ISO 8601."""
    values: List[Any]
    if isinstance(column, Dictionary):
        values = column.to_objects().tolist()
    elif column.dtype.kind == "M":
        missing = np.isnat(column).tolist()
        values = [None if gone else str(v) for v, gone in zip(column, missing)]
    else:
        values = column.tolist()
    return objects([_text(value) for value in values])


def _text(value: Any) -> Optional[Any]:
    if value is None or isinstance(value, (str, bytes)):
        return value
    return None if value != value else formats_json.dumps(value).decode("utf-8")


def transformed(table: Table, wanted: Sequence[Wanted]) -> List[Output]:
    """The columns of a transformed table as tensors."""
    found: Mapping[str, Column] = dict(iter(table))
    names = [output.name for output in wanted] or list(found)
    for name in names:
        if name not in found:
            raise unknown_output(name, list(found))
    return [Output(column_output(name, found[name]), 0, table.rows) for name in names]

"""What a model answered as JSON, by MLflow's rules."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import json as standard
from typing import Any, List, Mapping, Optional, Sequence

import numpy as np

from polyhost.data.payload import Dictionary, Table
from polyhost.errors import InvalidOutput
from polyhost.formats import json


def encode(value: Any, *, wrapped: bool = True, literal: bool = False) -> bytes:
    """The body of an answer. ``literal``: numbers that JSON has not are the words ``NaN`` and
    ``Infinity``, as MLflow's own server writes them; else they are null."""
    found = plain(value)
    if wrapped:
        found = {"predictions": found}
    if literal:
        return standard.dumps(found, separators=(",", ":")).encode("ascii")
    return json.escaped(json.dumps(found))


def plain(value: Any) -> Any:
    """An answer as what JSON has; InvalidOutput names the type that it has not."""
    kind = type(value)
    if kind in _AS_IT_IS:
        return value
    if isinstance(value, np.ndarray):
        return _array(value)
    if kind.__module__.partition(".")[0] == "pandas":
        return _of_pandas(value)
    if isinstance(value, Mapping):
        return {key if type(key) is str else _key(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return list(map(plain, value))
    if isinstance(value, Table):
        return _records([str(n) for n in value.names], [_column(c) for c in value.columns])
    return _other(value)


_AS_IT_IS = frozenset([str, int, float, bool, type(None)])


def _key(key: Any) -> str:
    found = plain(key)
    return str(found) if not isinstance(found, bool) else str(found).lower()


def _array(array: np.ndarray) -> Any:
    kind = array.dtype.kind
    if kind in "biufU":
        return array.tolist()
    if kind == "M":
        return _times(array)
    if array.ndim == 0:
        return plain(array.item())
    return [plain(item) for item in array.tolist()]


def _times(array: np.ndarray) -> Any:
    if array.ndim == 0:
        return None if np.isnat(array) else _moment(array[()])
    return [_times(item) for item in array] if array.ndim > 1 else list(map(_moment, array))


def _moment(value: Any) -> Optional[str]:
    if np.isnat(value):
        return None
    found = value.astype("M8[us]").item()
    return found.isoformat() if hasattr(found, "isoformat") else str(value)


def _of_pandas(value: Any) -> Any:
    if hasattr(value, "columns"):
        names = [_key(name) for name in value.columns]
        columns = [_series(value.iloc[:, i]) for i in range(len(names))]
        return _records(names, columns)
    if hasattr(value, "to_frame") and hasattr(value, "iloc"):
        name = "0" if value.name is None else _key(value.name)
        return [{name: cell} for cell in _series(value)]
    if hasattr(value, "isoformat"):
        return None if value != value else value.isoformat()
    if type(value).__name__ == "NAType":
        return None
    if hasattr(value, "to_numpy"):  # an index, an array of pandas
        return _array(value.to_numpy())
    return _other(value)


def _series(series: Any) -> List[Any]:
    values = series.to_numpy()
    if values.dtype.kind in "biufMU":
        found: List[Any] = _array(values)
        return found
    missing = series.isna().to_numpy()
    return [None if gone else plain(v) for v, gone in zip(series.tolist(), missing.tolist())]


def _column(column: Any) -> List[Any]:
    values = column.to_objects() if isinstance(column, Dictionary) else column
    found: List[Any] = _array(values)
    return found


def _records(names: Sequence[str], columns: Sequence[Sequence[Any]]) -> List[Any]:
    return [dict(zip(names, row)) for row in zip(*columns)]


def _other(value: Any) -> Any:
    if isinstance(value, np.datetime64):
        return _moment(value)
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.encodebytes(bytes(value)).decode("ascii")
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (str, int, float)):  # a class that derives from one
        base = next(kind for kind in (str, bool, int, float) if isinstance(value, kind))
        return base(value)
    if hasattr(value, "model_dump"):
        return plain(value.model_dump(mode="json"))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return plain(dataclasses.asdict(value))
    if hasattr(value, "toarray"):  # a matrix of scipy
        return _array(value.toarray())
    if hasattr(value, "numpy") and hasattr(value, "shape"):  # a tensor
        return _array(np.asarray(value))
    raise InvalidOutput(
        f"the model answered a {type(value).__module__}.{type(value).__name__}, which JSON cannot "
        "hold: expected a DataFrame, an array, or lists, dictionaries, numbers and texts.",
        unserialisable=True,
        found=type(value).__name__,
    )


def split(value: Any, counts: Sequence[int]) -> Optional[List[Any]]:
    """The answers of each of several requests in one; None where it has not a row for each row."""
    try:
        length = len(value)
    except TypeError:
        return None
    if length != sum(counts) or isinstance(value, (str, bytes, Mapping)):
        return None
    by_row = getattr(value, "iloc", value)
    if isinstance(value, Table):
        by_row = _Slices(value)
    parts, start = [], 0
    for count in counts:
        parts.append(by_row[start : start + count])
        start += count
    return parts


class _Slices:
    """Slices of a table's rows."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def __getitem__(self, rows: slice) -> Table:
        return self._table.slice(rows.start, rows.stop)

"""Cells as the type that a signature declares for their column.

A cell is converted where nothing is lost: ``1.0`` for a whole number, ``"7"`` for a number, a text
in ISO 8601 for a moment, base64 for bytes. ``1.5`` for a whole number is an error.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Callable, Dict, List, Mapping, Optional

import numpy as np

from polyhost.data import cells
from polyhost.data.payload import Column, Dictionary
from polyhost.data.signature import ANYTHING, DTYPES, ColumnSpec, DataType
from polyhost.errors import SchemaMismatch
from polyhost.pipeline.signature import nested

_SHOWN = 60
_BOUNDS = {"integer": (-(2**31), 2**31 - 1), "long": (-(2**63), 2**63 - 1)}
_WHOLE_FLOATS = 2.0**53


def cast(spec: ColumnSpec, name: str, column: Column) -> Column:
    """A column as its declared type; SchemaMismatch names the row and the cell that cannot be."""
    kind = spec.type.kind
    if not spec.type.is_scalar:
        return column if kind == ANYTHING else _nested(spec, name, column)
    if isinstance(column, np.ndarray):
        if column.dtype == DTYPES.get(kind) and kind != "datetime":
            return column
        quick = _QUICK.get(kind)
        found = None if quick is None else quick(kind, name, column)
        if found is not None:
            return found
    return _by_cell(spec, name, column)


def whole(kind: str, name: str, values: np.ndarray) -> None:
    """SchemaMismatch where numbers are not whole ones that the type holds."""
    low, high = _BOUNDS[kind]
    with np.errstate(invalid="ignore"):
        fit = (np.floor(values) == values) & (values >= low) & (values <= high)
    if not fit.all():
        at = int(np.argmin(fit))
        raise misfit(name, at, values[at].item(), kind, _why_not_whole(values[at].item(), kind))


def misfit(name: str, row: int, value: Any, kind: str, reason: str) -> SchemaMismatch:
    """The error of a cell that its column's type cannot hold; ``row`` counts from 0."""
    shown = repr(value)
    shown = shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "..."
    return SchemaMismatch(
        f"Failed to convert column {name} to type '{kind}': row {row + 1} holds {shown}: {reason}.",
        castable=False,
        column=name,
        row=row + 1,
        found=shown,
        expected=kind,
    )


def _why_not_whole(value: float, kind: str) -> str:
    if value != value:
        return "the value is missing, and a column of whole numbers has none that are"
    if value not in (float("inf"), float("-inf")) and value != int(value):
        return "it is not a whole number, and is not rounded"
    low, high = _BOUNDS[kind]
    return f"expected a whole number from {low} to {high}"


# Columns that numpy holds in a type of its own


def _quick_whole(kind: str, name: str, column: np.ndarray) -> Optional[np.ndarray]:
    if column.dtype.kind == "O" and set(map(type, column.tolist())) == {int}:
        try:
            column = column.astype(np.int64)
        except OverflowError:
            return None
    if column.dtype.kind not in "biuf":
        return None
    whole(kind, name, column)
    return column.astype(DTYPES[kind])


def _quick_float(kind: str, name: str, column: np.ndarray) -> Optional[np.ndarray]:
    if column.dtype.kind == "O" and set(map(type, column.tolist())) <= {int, float, type(None)}:
        try:
            column = column.astype(np.float64)
        except OverflowError:
            return None
    if column.dtype.kind not in "biuf":
        return None
    with np.errstate(over="ignore"):
        found = column.astype(DTYPES[kind])
    lost = np.isinf(found) & np.isfinite(column) if kind == "float" else None
    if lost is not None and lost.any():
        at = int(np.argmax(lost))
        raise misfit(name, at, column[at].item(), kind, "it is beyond what the type can hold")
    return np.asarray(found)


def _quick_boolean(kind: str, name: str, column: np.ndarray) -> Optional[np.ndarray]:
    if column.dtype.kind == "O" and set(map(type, column.tolist())) == {bool}:
        return column.astype(bool)
    return None


def _quick_string(kind: str, name: str, column: np.ndarray) -> Optional[np.ndarray]:
    if column.dtype.kind == "O" and set(map(type, column.tolist())) <= {str, type(None)}:
        return column
    return None


def _quick_time(kind: str, name: str, column: np.ndarray) -> Optional[np.ndarray]:
    return column.astype(DTYPES[kind]) if column.dtype.kind == "M" else None


_QUICK: Mapping[str, Callable[[str, str, np.ndarray], Optional[np.ndarray]]] = {
    "integer": _quick_whole,
    "long": _quick_whole,
    "float": _quick_float,
    "double": _quick_float,
    "boolean": _quick_boolean,
    "string": _quick_string,
    "datetime": _quick_time,
}


# Cell by cell


def _by_cell(spec: ColumnSpec, name: str, column: Column) -> Column:
    kind = spec.type.kind
    values = column.to_objects().tolist() if isinstance(column, Dictionary) else _values(column)
    from_text = isinstance(column, Dictionary)
    out: List[Any] = [None] * len(values)
    known: Dict[str, Any] = {}
    for i, value in enumerate(values):
        if value is None or value != value:
            continue
        try:
            if from_text:
                if value not in known:
                    known[value] = from_cell(kind, value, True)
                out[i] = known[value]
            else:
                out[i] = from_cell(kind, value)
        except ValueError as error:
            raise misfit(name, i, value, kind, str(error)) from None
    return _packed(spec, name, out)


def _values(column: np.ndarray) -> List[Any]:
    values: List[Any] = cells.values_of(column)
    return values


def _packed(spec: ColumnSpec, name: str, out: List[Any]) -> np.ndarray:
    """Converted cells as one array; a missing one is what the type has for that."""
    kind = spec.type.kind
    holes = [i for i, value in enumerate(out) if value is None]
    if holes and (kind in ("integer", "long", "binary")):
        reason = "the value is missing, and the type has none for that"
        raise misfit(name, holes[0], None, kind, reason)
    if kind == "datetime":
        return np.array([np.datetime64("NaT") if v is None else v for v in out], "M8[ns]")
    if kind in DTYPES and not (holes and kind == "boolean"):
        return np.array([np.nan if v is None else v for v in out], DTYPES[kind])
    found = np.empty(len(out), dtype=object)
    for i, value in enumerate(out):
        found[i] = value
    return found


def from_cell(kind: str, value: Any, is_text: bool = False) -> Any:
    """One value as a scalar type; ValueError when it cannot be. ``is_text``: it is a cell of a
    text format, where numbers and words have no type of their own."""
    return _FROM[kind](value, is_text)


def _whole_of(kind: str) -> Callable[[Any, bool], Any]:
    low, high = _BOUNDS[kind]

    def read(value: Any, is_text: bool) -> Any:
        if isinstance(value, str):
            found = cells.integer(value)
            if found is None:
                raise ValueError("the value is missing, and a whole number is needed")
        elif isinstance(value, (bool, int, np.integer, np.bool_)):
            found = int(value)
        elif isinstance(value, (float, np.floating)) and abs(value) <= _WHOLE_FLOATS:
            if value != int(value):
                raise ValueError("it is not a whole number, and is not rounded")
            found = int(value)
        else:
            raise ValueError("expected a whole number")
        if not low <= found <= high:
            raise ValueError(f"expected a whole number from {low} to {high}")
        return found

    return read


def _float(value: Any, is_text: bool) -> Any:
    if isinstance(value, str):
        return cells.number(value)
    if isinstance(value, (bool, int, float, np.number, np.bool_)) or _is_decimal(value):
        try:
            return float(value)
        except OverflowError:
            raise ValueError("expected a number that a 64-bit float can hold") from None
    raise ValueError("expected a number")


def _single(value: Any, is_text: bool) -> Any:
    found = _float(value, is_text)
    with np.errstate(over="ignore"):
        if found is not None and np.isinf(np.float32(found)) and abs(found) != float("inf"):
            raise ValueError("it is beyond what the type can hold")
    return found


def _is_decimal(value: Any) -> bool:
    return type(value).__module__ == "decimal"


def _boolean(value: Any, is_text: bool) -> Any:
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, str):
        return cells.boolean(value)
    if isinstance(value, (int, float, np.number)) and value in (0, 1):
        return bool(value)
    raise ValueError("expected true or false")


def _string(value: Any, is_text: bool) -> Any:
    if isinstance(value, str):
        return value
    raise ValueError("expected text")


def _binary(value: Any, is_text: bool) -> Any:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, str):
        try:
            return base64.decodebytes(value.encode("ascii", "ignore"))
        except binascii.Error as error:
            raise ValueError(f"expected bytes in base64 ({error})") from None
    raise ValueError("expected bytes in base64")


def _datetime(value: Any, is_text: bool) -> Any:
    if isinstance(value, str):
        try:
            return cells.nanoseconds(value)
        except ValueError:
            return _by_pandas(value)
    if isinstance(value, np.datetime64):
        return value
    if hasattr(value, "isoformat"):
        return cells.nanoseconds(value.isoformat())
    if isinstance(value, int) and not isinstance(value, bool):
        return np.datetime64(value, "ns")  # nanoseconds, as pandas has it
    raise ValueError("expected a moment in ISO 8601, such as 2024-05-31T12:00:00")


def _by_pandas(text: str) -> Any:
    """A moment in one of the further forms that pandas knows."""
    try:
        import pandas
    except ImportError:
        raise ValueError("expected a moment in ISO 8601") from None
    try:
        found = pandas.Timestamp(text)
    except (ValueError, TypeError, OverflowError):
        raise ValueError("expected a moment in ISO 8601, such as 2024-05-31T12:00:00") from None
    if found.tzinfo is not None:
        found = found.tz_convert("UTC").tz_localize(None)
    return found.to_datetime64()


_FROM: Mapping[str, Callable[[Any, bool], Any]] = {
    "integer": _whole_of("integer"),
    "long": _whole_of("long"),
    "float": _single,
    "double": _float,
    "boolean": _boolean,
    "string": _string,
    "binary": _binary,
    "datetime": _datetime,
}


def _nested(spec: ColumnSpec, name: str, column: Column) -> Column:
    values = column.to_objects() if isinstance(column, Dictionary) else column
    out = np.empty(len(values), dtype=object)
    for i, value in enumerate(values.tolist() if values.dtype.kind != "O" else values):
        if value is None or (isinstance(value, float) and value != value):
            if spec.required:
                raise misfit(name, i, None, str(spec.type), "the value is missing")
            continue
        if isinstance(column, Dictionary):
            value = nested.from_text(value)
        try:
            out[i] = nested.enforced(spec.type, value, name)
        except nested.Misfit as error:
            raise misfit(name, i, value, str(spec.type), str(error)) from None
    return out


__all__ = ["DataType", "cast", "from_cell", "misfit", "whole"]

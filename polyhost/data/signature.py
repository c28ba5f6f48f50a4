"""A model's signature: the columns or tensors it takes, and the parameters of a call.

The JSON form is MLflow's. :mod:`polyhost.pipeline.signature` holds data against it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Dict, FrozenSet, List, Mapping, Optional, Tuple

import numpy as np

from polyhost.data.column_info import ANY, BOOLEAN, INTEGER, LIST, NUMBER, TEXT, TIME, ColumnInfo
from polyhost.errors import SettingsError

SCALARS: Mapping[str, str] = {
    "boolean": BOOLEAN,
    "integer": INTEGER,
    "long": INTEGER,
    "float": NUMBER,
    "double": NUMBER,
    "string": TEXT,
    "binary": ANY,
    "datetime": TIME,
}
"""The scalar types and the kind of column that each is."""
DTYPES: Mapping[str, Any] = {
    "boolean": np.dtype(bool),
    "integer": np.dtype(np.int32),
    "long": np.dtype(np.int64),
    "float": np.dtype(np.float32),
    "double": np.dtype(np.float64),
    "datetime": np.dtype("M8[ns]"),
}
"""numpy's type of those that have one; text and bytes are objects."""
FLOATS = ("double", "float")
WHOLE = ("long", "integer")
ARRAY, OBJECT, MAP, ANYTHING, VECTOR = "array", "object", "map", "any", "sparkml_vector"


@dataclass(frozen=True)
class DataType:
    """The type of a column or of a value inside one. ``items`` is that of a list's items or a
    map's values; ``properties`` are those of an object."""

    kind: str
    items: Optional[DataType] = None
    properties: Tuple[Property, ...] = ()

    @property
    def is_scalar(self) -> bool:
        return self.kind in SCALARS

    def __str__(self) -> str:
        if self.kind == ARRAY:
            return f"Array({self.items})"
        if self.kind == MAP:
            return f"Map(str -> {self.items})"
        if self.kind == OBJECT:
            return "{" + ", ".join(f"{p.name}: {p.type}" for p in self.properties) + "}"
        return self.kind


@dataclass(frozen=True)
class Property:
    """A named value of an object."""

    name: str
    type: DataType
    required: bool = True


@dataclass(frozen=True)
class ColumnSpec:
    """A column; ``name`` is None where columns are known by position."""

    type: DataType
    name: Optional[str] = None
    required: bool = True

    def info(self) -> ColumnInfo:
        """The neutral record of this column."""
        kind = SCALARS.get(self.type.kind, LIST if self.type.kind in (ARRAY, VECTOR) else ANY)
        return ColumnInfo(self.name or "", kind, self.required)


@dataclass(frozen=True)
class TensorSpec:
    """An array; -1 in its shape is any size."""

    dtype: Any
    shape: Tuple[int, ...]
    name: Optional[str] = None


@dataclass(frozen=True)
class ParamSpec:
    """A parameter of a call. ``shape`` None is one value, else a list."""

    name: str
    type: DataType
    default: Any = None
    shape: Optional[Tuple[int, ...]] = None


@dataclass(frozen=True)
class Signature:
    """What a model takes and answers; None where it does not say. ``from_hints``: it was made from
    the type hints of the model's own code, which checks a request itself."""

    columns: Optional[Tuple[ColumnSpec, ...]] = None
    tensors: Optional[Tuple[TensorSpec, ...]] = None
    params: Optional[Tuple[ParamSpec, ...]] = None
    output_columns: Optional[Tuple[ColumnSpec, ...]] = None
    output_tensors: Optional[Tuple[TensorSpec, ...]] = None
    from_hints: bool = False

    @cached_property
    def exact(self) -> FrozenSet[str]:
        """Names of the columns whose cells must be looked at as they came: all but floating point
        numbers."""
        return frozenset(
            column.name
            for column in self.columns or ()
            if column.name is not None and column.type.kind not in FLOATS
        )

    @cached_property
    def named(self) -> bool:
        """Whether the inputs have names."""
        columns = any(each.name is not None for each in self.columns or ())
        return columns or any(each.name is not None for each in self.tensors or ())


def parse(document: Optional[Mapping[str, Any]], from_hints: bool = False) -> Optional[Signature]:
    """The signature that the key ``signature`` of an ``MLmodel`` file holds; None of None."""
    if not document:
        return None
    columns, tensors = _inputs(document.get("inputs"), "inputs")
    output_columns, output_tensors = _inputs(document.get("outputs"), "outputs")
    params = _loaded(document.get("params"), "params")
    return Signature(
        columns,
        tensors,
        None if params is None else tuple(_param(each) for each in params),
        output_columns,
        output_tensors,
        from_hints,
    )


def _loaded(value: Any, where: str) -> Optional[List[Any]]:
    """The list that a part of a signature holds: a JSON text in the file."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise _wrong(where, f"it is not JSON: {error}") from error
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(each, Mapping) for each in value):
        raise _wrong(where, "expected a list of objects")
    return value or None


def _wrong(where: str, reason: str) -> SettingsError:
    return SettingsError(f"the signature's {where} cannot be read: {reason}.")


def _inputs(
    value: Any, where: str
) -> Tuple[Optional[Tuple[ColumnSpec, ...]], Optional[Tuple[TensorSpec, ...]]]:
    found = _loaded(value, where)
    if found is None:
        return None, None
    are_tensors = [_is_tensor(each) for each in found]
    if all(are_tensors):
        tensors = tuple(_tensor(each, where) for each in found)
        _check_names([each.name for each in tensors], where)
        if len(tensors) > 1 and tensors[0].name is None:
            raise _wrong(where, "several tensors need names")
        return None, tensors
    if any(are_tensors):
        raise _wrong(where, "columns and tensors are mixed")
    columns = tuple(_column(each, where) for each in found)
    _check_names([each.name for each in columns], where)
    return columns, None


def _check_names(names: List[Optional[str]], where: str) -> None:
    if None in names and any(name is not None for name in names):
        raise _wrong(where, "some entries have names and others have none")


def _is_tensor(entry: Mapping[str, Any]) -> bool:
    return entry.get("type") == "tensor" or ("type" not in entry and "shape" in entry)


def _tensor(entry: Mapping[str, Any], where: str) -> TensorSpec:
    inner = entry.get("tensor-spec", entry)
    try:
        dtype = np.dtype(str(inner["dtype"]))
        shape = tuple(int(size) for size in inner["shape"])
    except (KeyError, TypeError, ValueError) as error:
        raise _wrong(where, f"a tensor's dtype or shape is wrong ({error!r})") from error
    return TensorSpec(dtype, shape, entry.get("name"))


def _column(entry: Mapping[str, Any], where: str) -> ColumnSpec:
    name = entry.get("name")
    required = entry.get("required", not entry.get("optional", False))
    return ColumnSpec(_type(entry, where), None if name is None else str(name), bool(required))


def _type(entry: Any, where: str) -> DataType:
    if isinstance(entry, str):
        entry = {"type": entry}
    kind = str(entry.get("type"))
    if kind in SCALARS or kind == ANYTHING:
        return DataType(kind)
    if kind == VECTOR:
        return DataType(VECTOR, DataType("double"))
    if kind == ARRAY and "items" in entry:
        return DataType(ARRAY, _type(entry["items"], where))
    if kind == MAP and "values" in entry:
        return DataType(MAP, _type(entry["values"], where))
    if kind == OBJECT and isinstance(entry.get("properties"), Mapping):
        properties: Dict[str, Any] = dict(entry["properties"])
        return DataType(
            OBJECT,
            None,
            tuple(
                Property(name, _type(each, where), bool(each.get("required", True)))
                for name, each in sorted(properties.items())
            ),
        )
    known = ", ".join((*SCALARS, ARRAY, OBJECT, MAP, ANYTHING))
    raise _wrong(where, f"the type {kind!r} is unknown; expected one of {known}")


def _param(entry: Mapping[str, Any]) -> ParamSpec:
    kind = entry.get("type", entry.get("dtype"))
    whole = {**entry, "type": kind}
    shape = entry.get("shape")
    return ParamSpec(
        str(entry.get("name")),
        _type(whole, "params"),
        entry.get("default"),
        None if shape is None else tuple(int(size) for size in shape),
    )

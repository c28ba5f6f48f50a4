"""Values inside a column or a parameter: lists, objects and maps, held against their type."""

from __future__ import annotations

import json
from typing import Any, Dict

import numpy as np

from polyhost.data.signature import ANYTHING, ARRAY, MAP, OBJECT, VECTOR, DataType


class Misfit(ValueError):
    """A value is not what its type says. The text has no full stop."""


def from_text(text: str) -> Any:
    """The value that a cell of a text format spells as JSON; the text itself if it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def enforced(kind: DataType, value: Any, path: str) -> Any:
    """The value with its scalars converted, in containers of its own; Misfit says where it does
    not fit."""
    if kind.kind == ANYTHING:
        return value
    if kind.kind in (ARRAY, VECTOR):
        return _array(kind, value, path)
    if kind.kind == OBJECT:
        return _object(kind, value, path)
    if kind.kind == MAP:
        return _map(kind, value, path)
    return _scalar(kind, value, path)


def _scalar(kind: DataType, value: Any, path: str) -> Any:
    from polyhost.pipeline.signature.cast import from_cell

    if isinstance(value, (list, dict, np.ndarray)):
        raise Misfit(f"expected data type {kind} for {path!r}, found {type(value).__name__}")
    try:
        found = None if value is None else from_cell(kind.kind, value)
    except ValueError as error:
        raise Misfit(f"expected data type {kind} for {path!r}: {error}") from None
    if found is None:
        raise Misfit(f"expected data type {kind} for {path!r}; found null")
    return _moment(found) if kind.kind == "datetime" else found


def _moment(value: np.datetime64) -> Any:
    return value.astype("M8[us]").item()


def _array(kind: DataType, value: Any, path: str) -> Any:
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if not isinstance(value, (list, tuple)):
        raise Misfit(f"expected a list for {path!r}, found {type(value).__name__}")
    assert kind.items is not None
    items = kind.items
    return [enforced(items, item, f"{path}[{i}]") for i, item in enumerate(value)]


def _object(kind: DataType, value: Any, path: str) -> Any:
    if not isinstance(value, dict):
        raise Misfit(f"expected an object for {path!r}, found {type(value).__name__}")
    known = {each.name: each for each in kind.properties}
    missing = sorted(n for n, each in known.items() if each.required and n not in value)
    if missing:
        raise Misfit(f"missing required properties {missing} in {path!r}")
    extra = sorted(name for name in value if name not in known)
    if extra:
        raise Misfit(f"invalid properties {extra} in {path!r}, which the signature does not have")
    found: Dict[str, Any] = {}
    for name, item in value.items():
        if item is None and not known[name].required:
            found[name] = None
        else:
            found[name] = enforced(known[name].type, item, f"{path}.{name}")
    return found


def _map(kind: DataType, value: Any, path: str) -> Any:
    if not isinstance(value, dict):
        raise Misfit(f"expected an object for {path!r}, found {type(value).__name__}")
    odd = [key for key in value if not isinstance(key, str)]
    if odd:
        raise Misfit(f"expected keys that are text in {path!r}; found {odd[0]!r}")
    assert kind.items is not None
    return {key: enforced(kind.items, item, f"{path}.{key}") for key, item in value.items()}

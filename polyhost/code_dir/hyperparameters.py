"""``hyperparameters`` in ``model-metadata.yaml``: the parameters of a task's ``fit``, with defaults.

The metadata holds every scalar as text; here each becomes what its type says.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Dict, Iterable, Mapping, Optional, Union

from polyhost.errors import SettingsError

Value = Union[int, float, str]
_NAME = re.compile(r"[A-Za-z](?:[A-Za-z_]*[A-Za-z])?")
_NUMBERS: Mapping[str, Callable[[str], Union[int, float]]] = {"int": int, "float": float}
_TYPES = (*_NUMBERS, "string", "select", "multi")


def defaults(entries: Iterable[Any]) -> Dict[str, Value]:
    """The value of each parameter that was not set; SettingsError names a wrong definition.

    Without ``default`` that is the least number, the first of several values, or the empty text.
    """
    found: Dict[str, Value] = {}
    for number, entry in enumerate(entries, 1):
        try:
            value = _default(entry)
            if entry["name"] in found:
                raise ValueError(f"{entry['name']} is there twice; expected one entry for it")
        except ValueError as error:
            raise SettingsError(f"item {number} of hyperparameters: {error}.") from None
        if value is not None:
            found[entry["name"]] = value
    return found


def _default(entry: Any) -> Optional[Value]:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
        raise ValueError("expected a map with name and type")
    name, kind = entry["name"], entry.get("type")
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"Invalid param name: {name}; expected letters, and underscores between them"
        )
    if kind not in _TYPES:
        raise ValueError(f"{name} has the unknown type {kind!r}; expected {', '.join(_TYPES)}")
    if kind in _NUMBERS:
        return _number(name, kind, entry)
    if kind == "string":
        return str(entry.get("default", ""))
    return _choice(name, entry) if kind == "select" else _multi(name, entry)


def _number(name: str, kind: str, entry: Mapping[str, Any]) -> Optional[Value]:
    least, most, value = (_parse(name, kind, entry, key) for key in ("min", "max", "default"))
    if least is not None and most is not None and least >= most:
        raise ValueError(f"Invalid {kind} parameter {name}: max must be greater than min")
    low = value is not None and least is not None and value < least
    if low or (value is not None and most is not None and value > most):
        raise ValueError(
            f"Invalid {kind} parameter {name}: values must be between [{least}, {most}]; "
            f"found {value}"
        )
    return least if value is None else value


def _parse(name: str, kind: str, entry: Mapping[str, Any], key: str) -> Union[None, int, float]:
    text = entry.get(key)
    if text is None:
        return None
    try:
        return _NUMBERS[kind](text)
    except (TypeError, ValueError):
        raise ValueError(f"{key} of {name} is no {kind}; found {text!r}") from None


def _choice(name: str, entry: Mapping[str, Any]) -> str:
    values = entry.get("values")
    if not isinstance(values, list) or not values:
        raise ValueError(f"{name} is a select without values; expected a list of them")
    return str(entry.get("default", values[0]))


def _multi(name: str, entry: Mapping[str, Any]) -> Optional[Value]:
    """One of several types: the first of them, by name, gives the default."""
    parts = entry.get("values")
    unknown = sorted(set(parts) - {*_NUMBERS, "select"}) if isinstance(parts, Mapping) else []
    if not isinstance(parts, Mapping) or unknown:
        raise ValueError(
            f"{name} is a multi; expected values of int, float or select"
            + (f"; found {', '.join(unknown)}" if unknown else "")
        )
    found: Dict[str, Optional[Value]] = {
        kind: _number(f"{name}__{kind}", kind, part)
        if kind in _NUMBERS
        else _choice(f"{name}__{kind}", part)
        for kind, part in sorted(parts.items())
    }
    if "default" in entry:
        return _as_any(str(entry["default"]), parts)
    return next(iter(found.values()), None)


def _as_any(text: str, kinds: Iterable[str]) -> Value:
    for kind in (kind for kind in _NUMBERS if kind in kinds):
        try:
            return _NUMBERS[kind](text)
        except ValueError:
            continue
    return text

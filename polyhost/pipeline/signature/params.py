"""The parameters of a call, held against those that the signature declares."""

from __future__ import annotations

import datetime
import logging
from typing import Any, Dict, Mapping, Optional, Sequence, Set

from polyhost.data import cells
from polyhost.data.signature import ParamSpec
from polyhost.errors import SchemaMismatch
from polyhost.pipeline.signature import nested

logger = logging.getLogger(__name__)

_warned: Set[str] = set()
_MOST_WARNED = 1000


def enforced(
    specs: Optional[Sequence[ParamSpec]], given: Optional[Mapping[str, Any]]
) -> Optional[Dict[str, Any]]:
    """Every declared parameter, with its default where it was not given; None where none is
    declared and none was given.

    Names that are not declared are ignored with a warning; SchemaMismatch lists every value of a
    wrong type.
    """
    if given is None and not specs:
        return None
    given = given or {}
    declared = {spec.name: spec for spec in specs or ()}
    _warn_of_others([name for name in given if name not in declared], bool(declared))
    found: Dict[str, Any] = {}
    wrong: Dict[str, str] = {}
    for name, spec in declared.items():
        if name in given and given[name] is None:
            found[name] = None
            continue
        try:
            found[name] = _value(spec, given.get(name, spec.default))
        except ValueError as error:
            wrong[name] = str(error)
    if wrong:
        shown = "; ".join(f"{name!r}: {reason}" for name, reason in wrong.items())
        raise SchemaMismatch(f"Invalid parameters found: {{{shown}}}.", params=sorted(wrong))
    return found


def _warn_of_others(names: Sequence[str], any_declared: bool) -> None:
    new = [name for name in names if name not in _warned]
    if not new or len(_warned) >= _MOST_WARNED:
        return
    _warned.update(new)
    logger.warning(
        "parameter(s) %s are ignored: the model's signature declares %s",
        new[:20],
        "others" if any_declared else "none",
    )


def _value(spec: ParamSpec, value: Any) -> Any:
    kind = spec.type.kind
    if value is None:
        return None
    if not spec.type.is_scalar:
        return nested.enforced(spec.type, value, spec.name)
    if spec.shape is None:
        if isinstance(value, (list, dict)):
            raise ValueError(f"expected one value of type {kind}; found {_type(value)}")
        return _scalar(kind, value)
    if not isinstance(value, list):
        raise ValueError(f"expected a list of values of type {kind}; found {_type(value)}")
    return [_scalar(kind, item) for item in value]


def _scalar(kind: str, value: Any) -> Any:
    """A value of the type itself, or of a narrower one; no text is read as a number."""
    number = isinstance(value, int) and not isinstance(value, bool)
    if kind == "boolean" and isinstance(value, bool):
        return value
    if kind == "string" and isinstance(value, str):
        return value
    if kind in ("integer", "long") and number:
        limit = 2**31 if kind == "integer" else 2**63
        if -limit <= value < limit:
            return value
        raise ValueError(f"{value} is beyond what the type {kind} can hold")
    if kind in ("float", "double") and (number or isinstance(value, float)):
        return float(value)
    if kind == "datetime":
        return _moment(value)
    raise ValueError(f"expected a value of type {kind}; found {value!r} ({_type(value)})")


def _moment(value: Any) -> datetime.datetime:
    if isinstance(value, datetime.datetime):
        return value
    if isinstance(value, str):
        found = cells.time(value)
        if found is not None:
            moment: Any = found.item()
            return datetime.datetime.fromisoformat(moment.isoformat())
    raise ValueError(f"expected a moment in ISO 8601; found {value!r}")


def _type(value: Any) -> str:
    return type(value).__name__

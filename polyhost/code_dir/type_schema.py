"""``typeSchema`` in ``model-metadata.yaml``: the columns a task takes, and those it gives.

A requirement names a field of the data (its kinds of columns, sparsity, width, missing values), a
condition and values. :mod:`polyhost.pipeline.schema_check` holds data against them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, List, Mapping, Optional, Tuple, Union

from polyhost.data.column_kinds import CATEGORY, DATE, DURATION, IMAGE, NUMBER, TEXT
from polyhost.errors import SettingsError

INPUT, OUTPUT = "input_requirements", "output_requirements"
KINDS = (NUMBER, TEXT, CATEGORY, IMAGE, DATE, DURATION, "COUNT_DICT", "GEO")
"""All that may be required; the last two are never found in data."""
SPARSE = {
    INPUT: ("FORBIDDEN", "SUPPORTED", "REQUIRED"),
    OUTPUT: ("NEVER", "DYNAMIC", "ALWAYS", "IDENTITY"),
}
MISSING = {INPUT: ("FORBIDDEN", "SUPPORTED"), OUTPUT: ("NEVER", "DYNAMIC")}
_OF_KINDS = ("EQUALS", "IN", "NOT_EQUALS", "NOT_IN")
_OF_COUNTS = (*_OF_KINDS, "GREATER_THAN", "LESS_THAN", "NOT_GREATER_THAN", "NOT_LESS_THAN")
CONDITIONS = {
    "data_types": _OF_KINDS,
    "sparse": ("EQUALS",),
    "number_of_columns": _OF_COUNTS,
    "contains_missing": ("EQUALS",),
}
"""The conditions of each field."""
_SEVERAL = {"data_types": _OF_KINDS, "number_of_columns": ("IN", "NOT_IN")}
"""Conditions that take a list of values."""


@dataclass(frozen=True)
class Requirement:
    """One entry of a list of requirements. ``values`` are texts, or numbers of columns."""

    field: str
    condition: str
    values: Tuple[Union[str, int], ...]

    def __str__(self) -> str:
        return f"{self.field} {self.condition} {', '.join(map(str, self.values))}"


@dataclass(frozen=True)
class TypeSchema:
    """What a metadata document requires of a task's input and output; nothing by default.

    ``strict``: data that is otherwise is an error; else a warning.
    """

    input: Tuple[Requirement, ...] = ()
    output: Tuple[Requirement, ...] = ()
    strict: bool = True

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> TypeSchema:
        """That of a spec's options: ``metadata``, and under ``type_schema`` whether it is
        ``strict`` and whether there is a ``default`` where the metadata has none."""
        said = options.get("type_schema") or {}
        document = (options.get("metadata") or {}).get("typeSchema")
        found = parse(DEFAULT if cls.is_default(options) else document)
        return cls(found.input, found.output, bool(said.get("strict", True)))

    @staticmethod
    def is_default(options: Mapping[str, Any]) -> bool:
        """Whether the default holds, since a spec's options ask for it and its metadata has none."""
        said = options.get("type_schema") or {}
        document = (options.get("metadata") or {}).get("typeSchema")
        return document is None and bool(said.get("default"))


DEFAULT: Mapping[str, Any] = {
    INPUT: [
        {
            "field": "data_types",
            "condition": "IN",
            "value": ["NUM", "CAT", "TXT", "DATE", "DATE_DURATION"],
        },
        {"field": "sparse", "condition": "EQUALS", "value": "SUPPORTED"},
        {"field": "contains_missing", "condition": "EQUALS", "value": "SUPPORTED"},
    ],
    OUTPUT: [{"field": "data_types", "condition": "EQUALS", "value": "NUM"}],
}
"""What holds for a task that is trained and says nothing."""


# Reading


def parse(document: Optional[Mapping[str, Any]]) -> TypeSchema:
    """The requirements in what is under ``typeSchema``; SettingsError names a wrong entry."""
    document = document or {}
    return TypeSchema(
        _list(INPUT, document.get(INPUT, ())), _list(OUTPUT, document.get(OUTPUT, ()))
    )


def _list(side: str, entries: Iterable[Mapping[str, Any]]) -> Tuple[Requirement, ...]:
    found: List[Requirement] = []
    for number, entry in enumerate(entries, 1):
        try:
            one = _requirement(side, entry)
        except ValueError as error:
            raise SettingsError(f"item {number} of {side} under typeSchema: {error}.") from None
        if one.field != "number_of_columns" and any(one.field == each.field for each in found):
            raise SettingsError(
                f"item {number} of {side} under typeSchema: {one.field} is there twice; expected "
                "one entry for it."
            )
        found.append(one)
    return tuple(found)


def _requirement(side: str, entry: Mapping[str, Any]) -> Requirement:
    name, condition, value = (entry.get(key) for key in ("field", "condition", "value"))
    if name not in CONDITIONS:
        raise ValueError(f"unknown field {name!r}; expected {', '.join(CONDITIONS)}")
    if condition not in CONDITIONS[name]:
        raise ValueError(
            f"{name} takes no condition {condition!r}; expected {', '.join(CONDITIONS[name])}"
        )
    values: List[Any] = value if isinstance(value, list) else [value]
    if not values or (len(values) > 1 and condition not in _SEVERAL.get(name, ())):
        raise ValueError(f"{name} {condition} takes one value; found {len(values)}")
    if name == "number_of_columns":
        return Requirement(name, condition, tuple(_count(condition, each) for each in values))
    known = {"data_types": KINDS, "sparse": SPARSE[side], "contains_missing": MISSING[side]}[name]
    for each in values:
        if each not in known:
            raise ValueError(f"{name} cannot be {each!r}; expected {', '.join(known)}")
    return Requirement(name, condition, tuple(values))


def _count(condition: str, value: Any) -> int:
    text = str(value)
    least = 0 if condition == "GREATER_THAN" else 1
    if not text.isdigit() or int(text) < least:
        raise ValueError(
            f"number_of_columns {condition} takes a whole number from {least}; found {value!r}"
        )
    return int(text)

"""Data held against the requirements of a type schema."""

from __future__ import annotations

import logging
from typing import Any, FrozenSet, Iterable, Tuple

from polyhost.code_dir.type_schema import INPUT, KINDS, OUTPUT, Requirement, TypeSchema
from polyhost.data.column_kinds import CATEGORY, NUMBER, TEXT, has_missing, kinds_of, whole
from polyhost.data.payload import SparseTable, Table
from polyhost.errors import SchemaViolation

logger = logging.getLogger(__name__)


def check_input(schema: TypeSchema, table: Table) -> None:
    """SchemaViolation when data is not what a task takes."""
    _check(schema, schema.input, table, "input", INPUT)


def check_output(schema: TypeSchema, table: Table) -> None:
    """SchemaViolation when a task gave what it should not."""
    _check(schema, schema.output, table, "output", OUTPUT)


def _check(
    schema: TypeSchema, requirements: Iterable[Requirement], table: Table, side: str, key: str
) -> None:
    wrong = [text for text in (unmet(each, table) for each in requirements) if text]
    if not wrong:
        return
    message = (
        f"Schema validation found mismatch between {side} dataset and the supplied schema, {key} "
        f"under typeSchema in model-metadata.yaml: {'; '.join(wrong)}."
    )
    if schema.strict:
        raise SchemaViolation(
            f"{message} Fix the data, or the requirement.",
            unmet=wrong,
            is_schema_validation_error=True,
        )
    logger.warning("%s", message)


def unmet(requirement: Requirement, table: Table) -> str:
    """What is wrong with a table; empty when it is as required."""
    found, right = _FIELDS[requirement.field](requirement, table)
    return "" if right else f"{requirement} is required; found {found}"


def _kinds(requirement: Requirement, table: Table) -> Tuple[str, bool]:
    found = kinds_of(table)
    wanted = frozenset(map(str, requirement.values))
    shown = ", ".join(kind for kind in KINDS if kind in found) or "no columns"
    integers = NUMBER in found and whole(table)
    if requirement.condition == "NOT_EQUALS":
        return shown, found != wanted
    if requirement.condition == "NOT_IN":
        return shown, not found & wanted
    stand_for = {kind: _may_be(kind, integers) for kind in found}
    right = all(may & wanted for may in stand_for.values())
    if requirement.condition == "EQUALS":
        right = right and wanted <= frozenset().union(*stand_for.values())
    return shown, right


def _may_be(kind: str, integers: bool) -> FrozenSet[str]:
    """What a kind that was found counts as: texts and categories are one, and whole numbers may be
    categories too."""
    if kind in (TEXT, CATEGORY):
        return frozenset((TEXT, CATEGORY))
    return frozenset((NUMBER, CATEGORY) if kind == NUMBER and integers else (kind,))


def _sparse(requirement: Requirement, table: Table) -> Tuple[str, bool]:
    is_sparse = isinstance(table, SparseTable)
    value = requirement.values[0]
    right = {"FORBIDDEN": not is_sparse, "NEVER": not is_sparse}
    right.update({"REQUIRED": is_sparse, "ALWAYS": is_sparse})
    return "sparse data" if is_sparse else "dense data", right.get(str(value), True)


def _missing(requirement: Requirement, table: Table) -> Tuple[str, bool]:
    if requirement.values[0] not in ("FORBIDDEN", "NEVER"):
        return "", True
    names = [name for name, column in _dense(table) if has_missing(column)]
    shown = ", ".join(map(repr, names[:20])) + (", ..." if len(names) > 20 else "")
    return f"missing values in {shown}", not names


def _dense(table: Table) -> Iterable[Tuple[str, Any]]:
    if isinstance(table, SparseTable):  # what is not held is zero, not missing
        return [("the sparse matrix", table.coordinates[2])]
    return table


def _width(requirement: Requirement, table: Table) -> Tuple[str, bool]:
    count = len(table.names)
    first = int(requirement.values[0])
    right = {
        "EQUALS": count == first,
        "NOT_EQUALS": count != first,
        "IN": count in requirement.values,
        "NOT_IN": count not in requirement.values,
        "GREATER_THAN": count > first,
        "LESS_THAN": count < first,
        "NOT_GREATER_THAN": count <= first,
        "NOT_LESS_THAN": count >= first,
    }
    return f"{count} column(s)", right[requirement.condition]


_FIELDS = {
    "data_types": _kinds,
    "sparse": _sparse,
    "number_of_columns": _width,
    "contains_missing": _missing,
}

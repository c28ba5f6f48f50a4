"""What a folder's metadata and its stored example add to the columns that a model knows."""

from __future__ import annotations

import csv
import io
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Optional, Tuple, Union

from polyhost.code_dir.type_schema import TypeSchema
from polyhost.data import cells, column_kinds
from polyhost.data.column_info import ANY, NUMBER, TEXT, ColumnInfo
from polyhost.predictor import GuestInfo, ModelSpec

logger = logging.getLogger(__name__)

EXAMPLE = "example.csv"
_READ = 1 << 16
"""Bytes of an example that its first row is looked for in."""
_KINDS: Dict[Tuple[Union[str, int], ...], str] = {
    (column_kinds.NUMBER,): NUMBER,
    (column_kinds.TEXT,): TEXT,
    (column_kinds.CATEGORY,): TEXT,
}


def completed(info: GuestInfo, spec: ModelSpec) -> GuestInfo:
    """The info with kinds that ``typeSchema`` gives where the model gives none, and a cell of the
    stored example for each column that has none."""
    if not info.columns:
        return info
    kind = _only_kind(spec)
    row = _first_row(spec.code_dir / EXAMPLE)
    columns = tuple(_completed(column, kind, row) for column in info.columns)
    typed = any(new.kind != old.kind for new, old in zip(columns, info.columns))
    source = "metadata" if typed else info.schema_source
    return replace(info, columns=columns, schema_source=source)


def _completed(column: ColumnInfo, kind: Optional[str], row: Dict[str, str]) -> ColumnInfo:
    if column.kind == ANY and kind is not None:
        column = replace(column, kind=kind)
    if column.example is None and row.get(column.name):
        column = replace(column, example=_value(column, row[column.name]))
    return column


def _value(column: ColumnInfo, text: str) -> Any:
    if column.kind != NUMBER:
        return text
    try:
        return cells.number(text)
    except ValueError:
        return None


def _only_kind(spec: ModelSpec) -> Optional[str]:
    """The kind of every column, where the metadata's type schema allows just one."""
    if TypeSchema.is_default(spec.options):
        return None
    for requirement in TypeSchema.of(spec.options).input:
        if requirement.field == "data_types" and requirement.condition in ("EQUALS", "IN"):
            return _KINDS.get(requirement.values)
    return None


def _first_row(path: Path) -> Dict[str, str]:
    """The cells of an example's first row by column; empty where there is none to read."""
    try:
        with path.open("rb") as file:
            text = file.read(_READ).decode("utf-8-sig", "ignore")
        lines = csv.reader(io.StringIO(text, newline=""))
        return dict(zip(next(lines, []), next(lines, [])))
    except FileNotFoundError:
        return {}
    except (OSError, csv.Error) as error:
        logger.warning("the stored example %s cannot be read: %s", path.name, error)
        return {}

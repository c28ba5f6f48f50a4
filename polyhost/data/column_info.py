"""One record per column that a model expects: what its cells are, and which of them it knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Tuple

NUMBER, INTEGER, BOOLEAN = "number", "integer", "boolean"
TEXT, CATEGORY = "text", "category"
DATE, TIME = "date", "time"
LIST, ANY = "list", "any"
KINDS = (NUMBER, INTEGER, BOOLEAN, TEXT, CATEGORY, DATE, TIME, LIST, ANY)

ERROR, MISSING, OWN, WARN = "error", "missing", "own", "warn"


@dataclass(frozen=True)
class ColumnInfo:
    """A column the model expects. Plain data: it crosses from the worker as JSON.

    ``name`` is empty where the model knows its columns by position only. ``kind`` is one of
    ``KINDS``; ``any`` means that the model does not say. ``levels`` are the texts of the values
    that a category may have, in the model's order. ``unknown`` is the runtime's own rule for a
    text that is not a level: ``error``, ``missing`` (it counts as missing there), or ``own`` (the
    model has a rule itself, so the text goes through). ``missing`` is ``allowed`` or ``error``.
    ``reader``: ``h2o`` where a cell is read by the rules of H2O's scorers too: a number in a time
    column counts milliseconds, and a level may lack the column's name and the dot before it.
    """

    name: str
    kind: str = ANY
    required: bool = True
    levels: Tuple[str, ...] = ()
    ordered: bool = False
    unknown: str = ERROR
    missing: str = "allowed"
    example: Any = None
    reader: str = ""

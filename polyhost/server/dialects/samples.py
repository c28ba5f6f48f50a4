"""Rows that a model takes, for the documents: a request to try that gets an answer."""

from __future__ import annotations

import csv
import io
import json
from copy import deepcopy
from typing import Any, Dict, List, Mapping, Optional, Tuple

from polyhost.data.column_info import ColumnInfo
from polyhost.host.example_check import example
from polyhost.server.call.served_model import Served

LARGEST = 64 << 10
"""Bytes of a stored example that is shown."""
ROWS = 2
_VALUES: Mapping[str, Any] = {
    "number": 1.5,
    "integer": 1,
    "boolean": True,
    "date": "2024-01-31",
    "time": "2024-01-31T12:00:00",
    "text": "a",
}
"""A value of each kind, for columns that have neither levels nor an example."""
_PLACEHOLDER = (["a", "b"], [[1, 2], [3, 4]])
Rows = Tuple[List[str], List[List[Any]]]


def with_samples(operation: Mapping[str, Any], model: Served) -> Dict[str, Any]:
    """An operation that takes rows, with examples of rows that this model takes."""
    found = deepcopy(dict(operation))
    content = found["requestBody"]["content"]
    columns, rows = sample_rows(model)
    if "text/csv" in content:
        content["text/csv"]["example"] = _as_csv(columns, rows)
    if "application/json" in content:
        split = {"columns": columns, "data": rows}
        content["application/json"]["example"] = {"dataframe_split": split}
    return found


def sample_rows(model: Served) -> Rows:
    """Rows with the columns of the stored example, or of the schema; else two made-up ones."""
    return _stored(model) or _of_schema(model) or _PLACEHOLDER


def _stored(model: Served) -> Optional[Rows]:
    found = example(model.config.spec.code_dir)
    if found is None or found[0].stat().st_size > LARGEST:
        return None
    try:
        text = found[0].read_text(encoding="utf-8")
        if found[1] == "text/csv":
            lines = list(csv.reader(io.StringIO(text)))
            return lines[0], [list(line) for line in lines[1 : ROWS + 1]]
        split = json.loads(text)["dataframe_split"]
        return list(split["columns"]), list(split["data"][:ROWS])
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None


def _of_schema(model: Served) -> Optional[Rows]:
    columns = model.info.guest.columns if model.info is not None else ()
    if not columns or not all(column.name for column in columns):
        return None
    row = [_value(column) for column in columns]
    return [column.name for column in columns], [row] * ROWS


def _value(column: ColumnInfo) -> Any:
    if column.example is not None and isinstance(column.example, (str, int, float, bool)):
        return column.example
    return column.levels[0] if column.levels else _VALUES.get(column.kind, 1)


def _as_csv(columns: List[str], rows: List[List[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()

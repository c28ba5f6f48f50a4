"""Rows that a model takes, for the documents: a request to try that gets an answer."""

from __future__ import annotations

import csv
import io
import json
from copy import deepcopy
from typing import Any, Dict, List, Mapping, Optional, Tuple

from polyhost.codecs.v2.datatypes import BYTES
from polyhost.codecs.v2.schema import ONE_INPUT, inputs_of, typed_example
from polyhost.data.column_info import ColumnInfo
from polyhost.data.target import TargetType
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
SHOWN_LEVELS = 20
_JSON_KINDS = {
    "number": "number",
    "integer": "integer",
    "boolean": "boolean",
    "list": "array",
    **dict.fromkeys(("text", "category", "date", "time"), "string"),
}
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
        row = row_schema(model)
        records = content["application/json"]["schema"]["properties"].get("dataframe_records")
        if row is not None and records is not None:
            records["items"] = row
    return found


def with_rows(operation: Mapping[str, Any], model: Served) -> Dict[str, Any]:
    """KServe's operation: what an instance is, and two of them, of this model."""
    found = deepcopy(dict(operation))
    content = found["requestBody"]["content"]["application/json"]
    row = row_schema(model)
    if row is not None:
        items = {"anyOf": [row, {"type": ["array", "string", "number", "boolean", "null"]}]}
        content["schema"]["properties"]["instances"] = {"type": "array", "items": items}
    names, rows = typed_rows(model)
    content["example"] = {"instances": [dict(zip(names, row)) for row in rows]}
    answer = found["responses"]["200"]["content"]["application/json"]["schema"]
    answer["properties"]["predictions"]["items"] = _prediction(model)
    return found


def with_tensors(operation: Mapping[str, Any], model: Served) -> Dict[str, Any]:
    """V2's operation, with a request that this model takes: one tensor for each of its columns."""
    found = deepcopy(dict(operation))
    info = model.info
    if info is None:
        return found
    content = found["requestBody"]["content"]["application/json"]
    tensors = inputs_of(info)
    names, rows = typed_rows(model)
    if tensors[0]["name"] == ONE_INPUT:
        width = tensors[0]["shape"][-1]
        cell: Any = "text" if tensors[0]["datatype"] == BYTES else 1.5
        data = [cell] * (width if width > 0 else len(names))
        shape = [1] if info.target.type is TargetType.UNSTRUCTURED else [1, len(data)]
        inputs = [{**_bare(tensors[0]), "shape": shape, "data": data}]
    else:
        inputs = [
            {**_bare(tensor), "shape": [len(rows)], "data": [row[i] for row in rows]}
            for i, tensor in enumerate(tensors)
        ]
    content["example"] = {"inputs": inputs}
    return found


def _bare(tensor: Mapping[str, Any]) -> Dict[str, Any]:
    return {"name": tensor["name"], "datatype": tensor["datatype"]}


def typed_rows(model: Served) -> Rows:
    """Rows whose cells are of the types of the model's columns; made-up ones where it knows none."""
    return _of_schema(model) or _PLACEHOLDER


def row_schema(model: Served) -> Optional[Dict[str, Any]]:
    """JSON Schema of a row as an object; None where the model does not name its columns."""
    columns = model.info.guest.columns if model.info is not None else ()
    if not columns or not all(column.name for column in columns):
        return None
    required = [column.name for column in columns if column.required]
    properties = {column.name: _cell_schema(column) for column in columns}
    found: Dict[str, Any] = {"type": "object", "properties": properties}
    return {**found, "required": required} if required else found


def _cell_schema(column: ColumnInfo) -> Dict[str, Any]:
    kind = _JSON_KINDS.get(column.kind)
    found: Dict[str, Any] = {}
    if kind is not None:
        found["type"] = kind if column.missing == "error" else [kind, "null"]
    if column.levels:
        found["examples"] = list(column.levels)
        found["description"] = f"a category: {', '.join(column.levels[:SHOWN_LEVELS])}"
    if isinstance(column.example, (str, int, float, bool)):
        found["examples"] = [typed_example(column)]
    return found


def _prediction(model: Served) -> Dict[str, Any]:
    """JSON Schema of a plain prediction, or of one with its probabilities."""
    target = model.config.spec.target if model.info is None else model.info.target
    if target.type in (TargetType.BINARY, TargetType.MULTICLASS):
        properties = {label: {"type": ["number", "null"]} for label in target.labels}
        labels = {"type": ["string", "null"], "enum": [*target.labels, None]}
        proba = {"type": "object", "properties": {**properties, "label": labels}}
        return {"anyOf": [labels, proba]}
    if target.type.is_classification or not target.type.is_numeric:
        return {}
    return {"type": ["number", "null"]}


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
        return typed_example(column)
    return column.levels[0] if column.levels else _VALUES.get(column.kind, 1)


def _as_csv(columns: List[str], rows: List[List[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()

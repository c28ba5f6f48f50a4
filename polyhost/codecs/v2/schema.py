"""What a model takes and gives as V2 describes it: the tensors of its metadata."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping, Sequence

import numpy as np

from polyhost.codecs.v2.datatypes import BYTES
from polyhost.codecs.v2.outputs import PREDICT, PROBABILITIES, classes_of
from polyhost.data import cells
from polyhost.data.column_info import BOOLEAN, INTEGER, NUMBER, ColumnInfo
from polyhost.data.target import TargetType
from polyhost.predictor import ModelInfo

DATATYPES: Mapping[str, str] = {NUMBER: "FP64", INTEGER: "INT64", BOOLEAN: "BOOL"}
"""By the kind of a column; the others are texts."""
ONE_INPUT = "input-0"


def inputs_of(info: ModelInfo) -> List[Dict[str, Any]]:
    """The tensors that a model takes. A client that sends just these needs no content type."""
    columns = info.guest.columns
    if info.target.type is TargetType.UNSTRUCTURED:
        return [{"name": ONE_INPUT, "datatype": BYTES, "shape": [1]}]
    if info.guest.tensors:
        return [_tensor(*each) for each in info.guest.tensors]
    if columns and all(column.name for column in columns):
        return [_input(column) for column in columns]
    kinds = {
        DATATYPES.get(column.kind, "FP64" if column.kind == "any" else BYTES) for column in columns
    }
    datatype = kinds.pop() if len(kinds) == 1 else "FP64" if not columns else BYTES
    return [{"name": ONE_INPUT, "datatype": datatype, "shape": [-1, len(columns) or -1]}]


def datatype_of(column: ColumnInfo) -> str:
    """The datatype in which a column's values travel; of one that is not known, by its example."""
    if column.kind != "any":
        return DATATYPES.get(column.kind, BYTES)
    if isinstance(column.example, bool):
        return "BOOL"
    return BYTES if isinstance(column.example, str) else "FP64"


def _tensor(name: str, dtype: str, shape: Sequence[int]) -> Dict[str, Any]:
    """An array that the model itself names the type and the shape of."""
    kind = np.dtype(dtype)
    datatype = _OF_NUMPY.get(kind.kind)
    found = BYTES if datatype is None else datatype.format(8 * kind.itemsize)
    return {"name": name or ONE_INPUT, "datatype": found, "shape": list(shape)}


_OF_NUMPY = {"f": "FP{}", "i": "INT{}", "u": "UINT{}", "b": "BOOL"}


def _input(column: ColumnInfo) -> Dict[str, Any]:
    found: Dict[str, Any] = {
        "name": column.name,
        "datatype": datatype_of(column),
        "shape": [-1],
    }
    parameters: Dict[str, Any] = {}
    if found["datatype"] == BYTES:
        parameters["content_type"] = "str"
    if column.levels:
        parameters["levels"] = json.dumps(list(column.levels))
    if not column.required:
        parameters["required"] = False
    if isinstance(column.example, (str, int, float, bool)):
        parameters["example"] = typed_example(column)
    if parameters:
        found["parameters"] = parameters
    return found


def outputs_of(info: ModelInfo) -> List[Dict[str, Any]]:
    """The tensors that a model gives."""
    kind = info.target.type
    text = {"content_type": "str"}
    if kind in (TargetType.TRANSFORM, TargetType.ANY):
        return []  # they are known once it has answered some rows
    if kind is TargetType.UNSTRUCTURED:
        return [{"name": PREDICT, "datatype": BYTES, "shape": [1]}]
    if not kind.is_classification:
        if kind.is_numeric:
            return [{"name": PREDICT, "datatype": "FP64", "shape": [-1]}]
        return [{"name": PREDICT, "datatype": BYTES, "shape": [-1], "parameters": text}]
    classes = classes_of(info)
    width = len(classes)
    labels: Dict[str, Any] = {"name": PREDICT, "datatype": BYTES, "shape": [-1], "parameters": text}
    if kind is TargetType.MULTILABEL:
        labels = {"name": PREDICT, "datatype": "INT64", "shape": [-1, width]}
    probabilities = {
        "name": PROBABILITIES,
        "datatype": "FP64",
        "shape": [-1, width],
        "parameters": {"classes": json.dumps(list(classes))},
    }
    return [labels, probabilities]


def platform_of(info: ModelInfo) -> str:
    """What runs the model, as text of the form ``project_format``."""
    return f"{info.guest.framework or info.language}_{info.language}".replace(" ", "-")


def typed_example(column: ColumnInfo) -> Any:
    """The example of a column, which a stored file has as text, as a value of its kind."""
    example = column.example
    if not isinstance(example, str):
        return example
    try:
        if column.kind == BOOLEAN:
            return cells.boolean(example)
        return cells.integer(example) if column.kind == INTEGER else example
    except ValueError:
        return example

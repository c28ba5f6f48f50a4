"""From a model's answers to the column that a UDF promised: MLflow's rules for ``result_type``.

| result_type | what it takes of the answers |
|---|---|
| ``int`` | the leftmost column of 8-, 16- or 32-bit integers |
| ``long`` | the leftmost column of integers |
| ``float``, ``double`` | the leftmost column of numbers |
| ``boolean`` | the leftmost column of booleans |
| ``string`` | the leftmost column, as text |
| an array of one of these | all such columns, one list a row |
| an array of arrays | the leftmost column whose cells are lists of lists |
| a struct, a map | columns by their names |

A prediction that is NaN becomes null, as in any column that pandas gives to Spark.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from polyhost.errors import InvalidOutput, SettingsError

SPELLINGS = {"bool": "boolean", "str": "string", "long": "bigint", "integer": "int"}
"""What callers of MLflow write, in Spark's words."""
OF_SIGNATURE = {
    "boolean": "boolean",
    "integer": "int",
    "long": "bigint",
    "float": "float",
    "double": "double",
    "string": "string",
}
"""Types of an MLflow signature's columns, in Spark's words."""
OF_TENSOR = {
    "bool": "boolean",
    "int8": "int",
    "int16": "int",
    "int32": "int",
    "int64": "bigint",
    "float32": "float",
    "float64": "double",
    "object": "string",
    "str": "string",
}
"""Types of its tensors."""
DEFAULT = "double"


def default_of(folder: str) -> str:
    """The type that the outputs of a folder's MLflow signature have; ``double`` without one."""
    import yaml

    try:
        found = yaml.safe_load(Path(folder, "MLmodel").read_text("utf-8"))["signature"]["outputs"]
        outputs = [(spec.get("name"), _of_output(spec)) for spec in json.loads(found)]
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return DEFAULT
    if len(outputs) == 1:
        return outputs[0][1]
    return ", ".join(f"`{name or i}` {kind}" for i, (name, kind) in enumerate(outputs))


def _of_output(spec: dict[str, Any]) -> str:
    """The Spark type of one output; KeyError for one that no rule covers."""
    if spec["type"] == "array":
        return f"array<{_of_output(spec['items'])}>"
    if spec["type"] != "tensor":
        return OF_SIGNATURE[spec["type"]]
    tensor = spec["tensor-spec"]
    depth = max(0, len(tensor["shape"]) - 1)
    return "array<" * depth + OF_TENSOR[tensor["dtype"]] + ">" * depth


def parse(given: Any) -> Any:
    """The Spark type meant by a ``DataType``, or by text such as ``double`` or ``a int, b string``."""
    from pyspark.sql import types

    if isinstance(given, types.DataType):
        found = given
    elif isinstance(given, str):
        found = _from_text(SPELLINGS.get(given.strip().lower(), given))
    else:
        raise SettingsError(
            f"result_type={given!r}: expected a Spark DataType, or its text such as 'double', "
            "'array<double>' or 'yes double, no double'."
        )
    element = found.elementType if isinstance(found, types.ArrayType) else found
    by_name = (types.StructType, types.MapType)
    lists = isinstance(found, types.ArrayType) and isinstance(element, types.ArrayType)
    if not (isinstance(found, by_name) or lists or _rule_of(element) is not None):
        raise SettingsError(
            f"result_type {found.simpleString()} is not one that answers can become: expected int, "
            "long, float, double, boolean, string, an array of one of them, a struct or a map."
        )
    return found


def _from_text(text: str) -> Any:
    from pyspark.sql import types

    read = getattr(types.DataType, "fromDDL", None) or types._parse_datatype_string
    try:
        return read(text)
    except Exception as error:  # ParseException and its kin, which differ between releases
        raise SettingsError(
            f"result_type={text!r} is not a Spark type: {str(error).strip().splitlines()[0]}"
        ) from error


def _rule_of(kind: Any) -> Callable[[Any], bool] | None:
    """Whether an Arrow type is one that a scalar Spark type takes; None where no rule is."""
    from pyarrow import types

    narrow = ("int8", "uint8", "int16", "uint16", "int32")
    return {
        "int": lambda found: str(found) in narrow,
        "bigint": types.is_integer,
        "float": lambda found: types.is_integer(found) or types.is_floating(found),
        "double": lambda found: types.is_integer(found) or types.is_floating(found),
        "boolean": types.is_boolean,
        "string": lambda found: True,
    }.get(kind.simpleString())


def column_of(answers: Any, kind: Any) -> Any:
    """The Arrow array of a Spark type that a record batch of answers makes.

    InvalidOutput when no column of it fits.
    """
    import pyarrow as pa
    from pyspark.sql import types

    if isinstance(kind, types.StructType):
        parts = [_field(answers, field) for field in kind]
        return pa.StructArray.from_arrays(parts, fields=list(_arrow(kind)))
    if isinstance(kind, types.MapType):
        named = [_scalar(column, kind.valueType) for column in answers.columns]
        return _map(answers.schema.names, named, answers.num_rows)
    if not isinstance(kind, types.ArrayType):
        return _scalar(answers.column(_fitting(answers, kind, kind)[0]), kind)
    if isinstance(kind.elementType, types.ArrayType):
        return _nested(_lists(answers, kind), kind)
    chosen = _fitting(answers, kind.elementType, kind)
    columns = [_scalar(answers.column(i), kind.elementType) for i in chosen]
    return _rows_of(columns, answers.num_rows)


def _arrow(kind: Any) -> Any:
    from pyspark.sql.pandas.types import to_arrow_type

    return to_arrow_type(kind)


def _fitting(answers: Any, kind: Any, asked: Any) -> list[int]:
    """Positions of the columns that a scalar type takes; InvalidOutput when there are none."""
    fits = _rule_of(kind)
    chosen = [i for i, found in enumerate(answers.schema.types) if fits is None or fits(found)]
    if not chosen:
        raise _none_fits(answers, asked)
    return chosen


def _field(answers: Any, field: Any) -> Any:
    """The column of a struct's field."""
    if field.name not in answers.schema.names:
        raise InvalidOutput(
            f"the answers have no column {field.name!r}, which result_type names: they are "
            f"{', '.join(map(repr, answers.schema.names))}.",
            expected=field.name,
            found=answers.schema.names,
        )
    column = answers.column(answers.schema.names.index(field.name))
    scalar = _rule_of(field.dataType) is not None
    return _scalar(column, field.dataType) if scalar else _nested(column, field.dataType)


def _scalar(column: Any, kind: Any) -> Any:
    """A column as a scalar Spark type."""
    import pyarrow as pa

    if kind.simpleString() == "string":
        texts = [None if cell is None else str(cell) for cell in column.to_pylist()]
        return pa.array(texts, pa.string())
    if pa.types.is_floating(column.type):
        column = pa.array(column.to_numpy(zero_copy_only=False), from_pandas=True)
    try:
        return column.cast(_arrow(kind), safe=not pa.types.is_floating(column.type))
    except pa.ArrowInvalid as error:
        raise InvalidOutput(
            f"the answers cannot become {kind.simpleString()}: {error}.",
            expected=kind.simpleString(),
            found=str(column.type),
        ) from error


def _nested(column: Any, kind: Any) -> Any:
    """A column of lists or objects, which workers write as JSON text."""
    import pyarrow as pa

    cells = [_decoded(cell) for cell in column.to_pylist()]
    return pa.array(cells, _arrow(kind))


def _decoded(cell: Any) -> Any:
    return json.loads(cell) if isinstance(cell, str) else cell


def _lists(answers: Any, kind: Any) -> Any:
    """The leftmost column whose cells are lists of lists."""
    for column in answers.columns:
        first = next((cell for cell in column.to_pylist() if cell is not None), None)
        if isinstance(first, list) or (isinstance(first, str) and first.startswith("[[")):
            return column
    raise _none_fits(answers, kind)


def _rows_of(columns: list[Any], rows: int) -> Any:
    """Columns of one type as one list a row."""
    import pyarrow as pa

    width = len(columns)
    flat = pa.concat_arrays(columns)
    by_row = np.arange(width * rows).reshape(width, rows).T.ravel()
    offsets = pa.array(np.arange(rows + 1, dtype=np.int32) * width, pa.int32())
    return pa.ListArray.from_arrays(offsets, flat.take(pa.array(by_row)))


def _map(names: list[str], columns: list[Any], rows: int) -> Any:
    import pyarrow as pa

    lists = _rows_of(columns, rows)
    return pa.MapArray.from_arrays(lists.offsets, pa.array(names * rows, pa.string()), lists.values)


def _none_fits(answers: Any, asked: Any) -> InvalidOutput:
    found = ", ".join(f"{field.name} ({field.type})" for field in answers.schema)
    return InvalidOutput(
        "the model did not produce any values compatible with the requested type "
        f"{asked.simpleString()!r}: its answers are {found}. Ask for 'string' or 'array<string>', or "
        "for a struct that names columns.",
        expected=asked.simpleString(),
        found=found,
    )

"""Functions in R that MLflow saved ("crates"): called with the rows, answered with any value."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

import numpy as np

from polyhost.bridges.r import api as r_api
from polyhost.bridges.r.api import NA_INTEGER, Api, Sexp
from polyhost.bridges.r.engine import LANGUAGE, Engine, RObject
from polyhost.data.payload import Table, Tensors
from polyhost.data.target import PREDICTIONS
from polyhost.errors import InvalidInput, InvalidOutput
from polyhost.formats import rows
from polyhost.predictor import ModelSpec

OPTION = "mlmodel"
_FILES = {"crate": "crate.bin", "r_crate": "r_crate.bin", "r_function": "r_model.bin"}


def file_of(spec: ModelSpec) -> Path:
    """The file of the function that the ``MLmodel`` file of a folder names."""
    saved = spec.options[OPTION]
    flavor = str(saved["flavor"])
    named = saved["attributes"].get("model") or _FILES[flavor]
    return (spec.code_dir / str(named)).resolve()


def call(engine: Engine, function: Optional[RObject], frame: Any, params: Mapping[str, Any]) -> Any:
    """What the function answers: a Table, an array, or lists and dictionaries."""
    given = {name: _argument(value) for name, value in params.items()}
    held = engine.call("predict", "call_crate", function, frame, given)
    assert held is not None
    return value_of(engine.api, held.sexp)


def _argument(value: Any) -> Any:
    """A parameter as R takes it: numbers and lists are vectors."""
    if isinstance(value, float):
        return np.array([value])
    if isinstance(value, list) and not all(isinstance(item, str) for item in value):
        return np.array(value, np.float64)
    return value if isinstance(value, (str, bool, int, list, type(None))) else str(value)


def value_of(api: Api, sexp: Sexp, inner: bool = False) -> Any:
    """What R's ``value_out`` described. ``inner``: a vector of one is its value."""
    word = api.to_strings(api.get(sexp, 0))[0]
    if word == "null":
        return None
    if word == "vector":
        found = _values(api, api.get(sexp, 1))
        return found[0] if inner and len(found) == 1 else found
    if word == "matrix":
        height, width = api.to_integers(api.get(sexp, 1)).tolist()
        flat = _values(api, api.get(sexp, 2))
        return [[flat[i + j * height] for j in range(width)] for i in range(height)]
    held = api.get(sexp, 2)
    parts = [api.get(held, i) for i in range(api.length(held))]
    names = api.get(sexp, 1)
    if word == "frame":
        columns = [_objects(value_of(api, part)) for part in parts]
        table = Table(api.to_strings(names), columns)
        table.rows = int(api.to_integers(api.get(sexp, 3))[0])
        return table
    items = [value_of(api, part, inner=True) for part in parts]
    return items if names == api.nil else dict(zip(api.to_strings(names), items))


def _values(api: Api, sexp: Sexp) -> List[Any]:
    """The cells of a plain vector as Python's own values; None where one is missing."""
    kind = api.kind(sexp)
    if kind == r_api.REAL:
        return [value if value == value else None for value in api.to_doubles(sexp).tolist()]
    if kind == r_api.INTEGER:
        return [None if v == NA_INTEGER else v for v in api.to_integers(sexp).tolist()]
    if kind == r_api.LOGICAL:
        return [None if v == NA_INTEGER else bool(v) for v in api.to_logicals(sexp).tolist()]
    codes = api.to_integers(api.get(sexp, 0)).tolist()
    texts = api.to_strings(api.get(sexp, 1))
    return [None if code == NA_INTEGER else texts[code - 1] for code in codes]


def _objects(values: Any) -> np.ndarray:
    return rows.column(values) if isinstance(values, list) else np.array([values], dtype=object)


def rows_of(data: Any) -> Table:
    """Arrays or plain values of a request as rows; InvalidInput when they are none."""
    if isinstance(data, list) and data and all(isinstance(each, dict) for each in data):
        return rows.table(*rows.records(data), numeric=False)
    try:
        if isinstance(data, Mapping):
            arrays: Dict[str, np.ndarray] = {name: np.asarray(v) for name, v in data.items()}
            return Tensors(arrays).to_table()
        if isinstance(data, np.ndarray) and data.ndim in (1, 2):
            return Tensors({"": data.reshape(len(data), -1)}).to_table()
    except ValueError as error:
        raise InvalidInput(f"the input is no table: {error}. Send rows.") from error
    raise InvalidInput(
        f"a function in R takes rows: expected dataframe_split or dataframe_records; found "
        f"{type(data).__name__}."
    )


def table_of(value: Any) -> Table:
    """An answer as a table, for protocols that have no other; InvalidOutput when it is none."""
    if isinstance(value, Table):
        return value
    if isinstance(value, list) and value and all(isinstance(each, list) for each in value):
        columns = [rows.column(column) for column in zip(*value)]
        return Table([str(i) for i in range(len(columns))], columns)
    if isinstance(value, list):
        return Table([PREDICTIONS], [rows.column(value)])
    if isinstance(value, dict):
        lists = [item if isinstance(item, list) else [item] for item in value.values()]
        if len(set(map(len, lists))) == 1:
            return Table(list(value), [rows.column(item) for item in lists])
    raise InvalidOutput(
        f"the function returned a {type(value).__name__} that is no table: use the /invocations "
        "endpoint, which takes any answer.",
        language=LANGUAGE,
    )

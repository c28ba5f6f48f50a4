"""Arrays held against a signature's tensors: their names, types and shapes."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Sequence, Tuple, Union

import numpy as np

from polyhost.data.payload import Dictionary, Table
from polyhost.data.signature import TensorSpec
from polyhost.errors import SchemaMismatch

Arrays = Union[np.ndarray, Dict[str, np.ndarray]]


def enforced(specs: Sequence[TensorSpec], value: Any, convert: bool = True) -> Arrays:
    """One array where the signature has one without a name, else arrays by name.

    ``convert``: the value came from JSON, whose numbers take the declared type where that loses
    nothing; an array with a type of its own must have just the declared one.
    """
    if isinstance(value, Table):
        return _of_table(specs, value)
    if specs[0].name is None:
        if isinstance(value, Mapping):
            raise SchemaMismatch(
                "this model's signature is one tensor without a name: expected a list; found an "
                f"object with {', '.join(map(repr, value)) or 'no keys'}.",
                castable=False,
            )
        return _array(specs[0], value, convert)
    if not isinstance(value, Mapping):
        if len(specs) > 1:
            raise SchemaMismatch(
                f"Model is missing inputs {[spec.name for spec in specs]}: expected an object with "
                "an array for each; found a list.",
                expected=[spec.name for spec in specs],
            )
        value = {specs[0].name: value}
    missing = [spec.name for spec in specs if spec.name not in value]
    if missing:
        extra = [name for name in value if name not in {spec.name for spec in specs}]
        raise SchemaMismatch(
            f"Model is missing inputs {missing}."
            + (f" Note that there were extra inputs: {extra}." if extra else ""),
            missing=missing,
        )
    return {str(spec.name): _array(spec, value[spec.name], convert) for spec in specs}


def _array(spec: TensorSpec, value: Any, convert: bool) -> np.ndarray:
    array = _cast(spec, value) if convert else np.asarray(value)
    what = f"tensor {spec.name!r}" if spec.name else "the tensor"
    if array.dtype != spec.dtype and not (spec.dtype.kind in "SUO" and array.dtype.kind in "SUO"):
        raise SchemaMismatch(
            f"dtype of input {array.dtype} does not match expected dtype {spec.dtype} of {what}.",
            expected=str(spec.dtype),
            found=str(array.dtype),
        )
    if not _shape_fits(spec.shape, array):
        raise SchemaMismatch(
            f"Shape of input {array.shape} does not match expected shape {spec.shape} of {what}.",
            expected=list(spec.shape),
            found=list(array.shape),
        )
    return array


def _shape_fits(shape: Tuple[int, ...], array: np.ndarray) -> bool:
    if array.dtype.kind == "O" and array.ndim == 1 and -1 in shape:
        return True  # lists of different lengths
    return len(shape) == array.ndim and all(
        wanted in (-1, found) for wanted, found in zip(shape, array.shape)
    )


def _cast(spec: TensorSpec, value: Any) -> np.ndarray:
    """The value of a JSON body as the declared type; SchemaMismatch where a number is lost."""
    what = f"tensor {spec.name!r}" if spec.name else "the tensor"
    if spec.dtype.kind in "SUO":
        found = np.empty(len(value), dtype=object) if _is_ragged(value) else np.array(value)
        if found.dtype.kind == "O" and _is_ragged(value):
            found[:] = value
            return found
        if found.dtype.kind not in "SUO":
            raise _uncastable(what, spec, "it holds other values than text")
        return found.astype(object) if spec.dtype.kind == "O" else found
    try:
        given = np.asarray(value)
    except ValueError as error:
        raise _uncastable(what, spec, str(error)) from error
    if given.dtype.kind == "O" and not given.size:
        given = given.astype(spec.dtype)
    if given.dtype.kind in "SU" and spec.dtype.kind != "M":
        raise _uncastable(what, spec, "it holds text")
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            found = given.astype(spec.dtype)
    except (TypeError, ValueError, OverflowError) as error:
        raise _uncastable(what, spec, str(error)) from error
    if given.dtype.kind in "biuf" and _lossy(given, found):
        raise _uncastable(what, spec, "it holds a number that the type cannot hold")
    return found


def _is_ragged(value: Any) -> bool:
    if not isinstance(value, list) or not value or not all(isinstance(v, list) for v in value):
        return False
    return len(set(map(len, value))) > 1


def _lossy(given: np.ndarray, found: np.ndarray) -> bool:
    """Whether a number became another one; the nearest float of a narrower type is the same."""
    if found.dtype.kind == "f":
        if given.dtype.kind != "f":
            return False
        return bool((np.isinf(found) & np.isfinite(given)).any())
    if found.dtype.kind in "iub":
        with np.errstate(invalid="ignore"):
            return bool((found.astype(given.dtype) != given).any())
    return False


def _uncastable(what: str, spec: TensorSpec, reason: str) -> SchemaMismatch:
    return SchemaMismatch(
        f"Failed to convert {what} to type '{spec.dtype}': {reason}.",
        castable=False,
        expected=str(spec.dtype),
    )


def _of_table(specs: Sequence[TensorSpec], table: Table) -> Arrays:
    """The columns of a table as arrays: by name, or all of them as one matrix."""
    first = specs[0]
    if first.name is not None:
        found = {name: _of_column(specs, name, column) for name, column in table}
        return enforced(specs, found)
    if len(table.names) == 1 and len(first.shape) != 2:
        return _array(first, _of_column(specs, "", table.columns[0]), True)
    if table.matrix is not None:
        return _array(first, table.matrix, True)
    columns = [c.to_objects() if isinstance(c, Dictionary) else c for c in table.columns]
    if len(columns) == 1 and columns[0].dtype.kind == "O":
        return _array(first, _of_column(specs, "", columns[0]), True)
    return _array(first, np.array([c.tolist() for c in columns]).T, True)


def _of_column(specs: Sequence[TensorSpec], name: str, column: Any) -> Any:
    """A column as an array: one of lists takes the declared shape."""
    spec = next((each for each in specs if (each.name or "") == name), None)
    values = column.to_objects() if isinstance(column, Dictionary) else column
    cells = values.tolist()
    if spec is None:
        return cells
    if cells and isinstance(cells[0], (list, np.ndarray)):
        return _reshaped(spec, np.array(cells))
    if spec.shape == (-1, 1):
        return [[cell] for cell in cells]
    return cells


def _reshaped(spec: TensorSpec, array: np.ndarray) -> np.ndarray:
    rest = spec.shape[1:]
    if array.ndim == len(spec.shape) or -1 in rest:
        return array
    try:
        return array.reshape((len(array), *rest))
    except ValueError:
        return array

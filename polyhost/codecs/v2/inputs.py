"""The tensors of a request as what a model takes: a table of columns, arrays, or one body.

Inputs are columns by name where the request says ``pd``, has several inputs, or one that is called
like a column of the model; else the one input is a matrix whose columns go by position.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Callable, List, Mapping, Sequence, Tuple, Union

import numpy as np

from polyhost.codecs.v2.datatypes import BYTES, array_of
from polyhost.codecs.v2.message import InferRequest, Tensor
from polyhost.data import cells
from polyhost.data.payload import Table, Tensors
from polyhost.errors import InvalidInput
from polyhost.formats import json, tables
from polyhost.formats.rows import column, objects
from polyhost.predictor import ModelInfo

PANDAS = "pd"
CONTENT_TYPES = ("", PANDAS, "np", "str", "base64", "datetime", "pd_json")


def rows_of(request: InferRequest, info: ModelInfo) -> Union[Table, Tensors]:
    """What the model predicts; InvalidInput names the input that does not fit."""
    inputs = request.inputs
    _check_inputs(inputs)
    if not _by_name(request, info):
        return _by_position(inputs[0], _elements(inputs[0], request), info)
    arrays = {tensor.name: _elements(tensor, request) for tensor in inputs}
    tables.check_names([tensor.name for tensor in inputs])
    if any(array.ndim > 1 and count_after(array) != 1 for array in arrays.values()):
        return Tensors(arrays)
    return _table(list(arrays), [array.reshape(len(array)) for array in arrays.values()], info)


def rows_in(request: InferRequest) -> int:
    """How many rows a request brings, by the shape of its inputs."""
    _check_inputs(request.inputs)
    return request.inputs[0].shape[0]


def count_after(array: np.ndarray) -> int:
    """Elements of one row of an array."""
    return array.size // len(array)


def _check_inputs(inputs: Sequence[Tensor]) -> None:
    if not inputs:
        raise InvalidInput("the request has no inputs: expected a list of at least one tensor.")
    first = inputs[0]
    for tensor in inputs:
        if not tensor.shape or tensor.shape[0] < 1:
            raise InvalidInput(
                f"input {tensor.name!r} has the shape {list(tensor.shape)}, which holds no rows: "
                "expected at least one."
            )
        if tensor.shape[0] != first.shape[0]:
            raise InvalidInput(
                f"the inputs have different numbers of rows: {first.shape[0]} in {first.name!r}, "
                f"{tensor.shape[0]} in {tensor.name!r}. Expected as many in each."
            )


def _by_name(request: InferRequest, info: ModelInfo) -> bool:
    inputs = request.inputs
    if len(inputs) > 1 or request.content_type == PANDAS:
        return True
    only = inputs[0]
    width = 1
    for size in only.shape[1:]:
        width *= size
    names = [found.name for found in info.guest.columns]
    return width == 1 and only.name in names


def _by_position(tensor: Tensor, array: np.ndarray, info: ModelInfo) -> Union[Table, Tensors]:
    columns = info.guest.columns
    if array.ndim > 2:
        return Tensors({tensor.name if len(info.guest.columns) == 1 else "": array})
    if array.ndim == 1:
        if len(columns) > 1:
            raise _wrong_width(tensor, len(columns))
        name = columns[0].name if columns else tensor.name
        return _table([name or tensor.name], [array], info)
    if columns and len(columns) != array.shape[1]:
        raise _wrong_width(tensor, len(columns))
    if columns and columns[0].name:
        names = [found.name for found in columns]
    elif array.shape[1] == 1 and array.dtype.kind == "O":
        names = [tensor.name]
    else:
        names = [str(i) for i in range(array.shape[1])]
    if info.guest.matrix and array.dtype.kind in "biuf":
        return Table.from_matrix(names, array.astype(np.float64, copy=False))
    return _table(names, [np.ascontiguousarray(values) for values in array.T], info)


def _wrong_width(tensor: Tensor, width: int) -> InvalidInput:
    return InvalidInput(
        f"input {tensor.name!r} has the shape {list(tensor.shape)}: the model takes {width} "
        f"column(s), so expected [rows, {width}], or one input for each column, called like it."
    )


def _table(names: Sequence[str], columns: List[np.ndarray], info: ModelInfo) -> Table:
    if info.guest.matrix and all(values.dtype.kind in "biuf" for values in columns):
        return Table.from_matrix(names, np.column_stack(columns).astype(np.float64, copy=False))
    for name, values in zip(names, columns):
        if values.dtype.kind == "O":
            tables.check_texts(name, values.tolist())
    return Table(names, columns)


# Elements


def _elements(tensor: Tensor, request: InferRequest) -> np.ndarray:
    """The elements of a tensor, read as its content type says, in its shape."""
    values = array_of(tensor)
    if tensor.datatype == BYTES:
        kind = tensor.content_type or request.content_type
        if kind not in CONTENT_TYPES:
            raise InvalidInput(
                f"input {tensor.name!r}: the content type {kind!r} is unknown: expected one of "
                f"{', '.join(CONTENT_TYPES[1:])}."
            )
        values = _TEXTS.get(kind, _texts)(tensor, values)
    elif values.dtype == np.float16:
        values = values.astype(np.float32)
    return values.reshape(tensor.shape)


def _texts(tensor: Tensor, values: np.ndarray) -> np.ndarray:
    return objects([_text(tensor, i, value) for i, value in enumerate(values.tolist())])


def _text(tensor: Tensor, at: int, value: Any) -> Any:
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"input {tensor.name!r}, element {at}: its bytes are not UTF-8 text ({error.reason})."
        ) from None


def _base64(tensor: Tensor, values: np.ndarray) -> np.ndarray:
    return objects(
        [_text(tensor, i, decoded_base64(tensor, i, value)) for i, value in enumerate(values)]
    )


def decoded_base64(tensor: Tensor, at: int, value: Any) -> Any:
    """The bytes that an element in base64 stands for."""
    if value is None:
        return None
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput(
            f"input {tensor.name!r}, element {at}: expected base64; found {value!r:.60}."
        ) from None


def _times(tensor: Tensor, values: np.ndarray) -> np.ndarray:
    found = [_time(tensor, i, value) for i, value in enumerate(_texts(tensor, values).tolist())]
    return np.array(found, dtype="M8[us]")


def _time(tensor: Tensor, at: int, value: Any) -> Any:
    if value is None:
        return np.datetime64("NaT")
    try:
        time = cells.time(value)
    except ValueError as error:
        raise InvalidInput(
            f"input {tensor.name!r}, element {at}: {error}; found {value!r:.60}."
        ) from None
    return np.datetime64("NaT") if time is None else time


def _json_cells(tensor: Tensor, values: np.ndarray) -> np.ndarray:
    """One JSON document an element: cells that are not all text."""
    texts = _texts(tensor, values).tolist()
    return column([None if text is None else json.loads(text.encode("utf-8")) for text in texts])


_TEXTS: Mapping[str, Callable[[Tensor, np.ndarray], np.ndarray]] = {
    "base64": _base64,
    "datetime": _times,
    "pd_json": _json_cells,
}

Signature = Tuple[Any, ...]


def signature(request: InferRequest) -> Signature:
    """What two requests must share for their rows to be those of one request.

    Cells in JSON are typed by all of their column, so those of two requests stay apart.
    """
    whole = request.content_type
    parts: List[Any] = [whole]
    for tensor in request.inputs:
        kind = tensor.content_type
        if kind == "pd_json" or whole == "pd_json":
            return (id(request),)
        typed = isinstance(tensor.values, np.ndarray)
        parts.append((tensor.name, tensor.datatype, tensor.shape[1:], kind, typed))
    return tuple(parts)


def gathered(requests: Sequence[InferRequest]) -> InferRequest:
    """One request with the rows of some whose signatures are equal."""
    first = requests[0]
    inputs = []
    for i, tensor in enumerate(first.inputs):
        parts: List[Any] = [request.inputs[i].values for request in requests]
        rows = sum(request.inputs[i].shape[0] for request in requests)
        if isinstance(tensor.values, np.ndarray):
            values: Any = np.concatenate(parts)
        else:
            values = [element for part in parts for element in part]
        shape = (rows, *tensor.shape[1:])
        inputs.append(Tensor(tensor.name, tensor.datatype, shape, values, tensor.parameters))
    return InferRequest(inputs, parameters=first.parameters)

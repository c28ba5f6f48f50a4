"""The datatypes of tensors: their elements in JSON, as raw bytes, and as numpy arrays."""

from __future__ import annotations

import struct
from typing import Any, Dict, FrozenSet, List, Mapping, Sequence, Tuple

import numpy as np

from polyhost.codecs.v2.message import Tensor
from polyhost.data.payload import Buffer
from polyhost.errors import InvalidInput

BYTES = "BYTES"
BF16 = "BF16"
NUMPY: Mapping[str, np.dtype] = {
    "BOOL": np.dtype("?"),
    **{f"INT{bits}": np.dtype(f"i{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": np.dtype(f"u{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": np.dtype(f"f{bits // 8}") for bits in (16, 32, 64)},
}
"""The datatypes that numpy has. Of the others BF16 becomes float32, and BYTES objects."""
NAMES = (*NUMPY, BF16, BYTES)
_FLOATS = ("FP16", BF16, "FP32", "FP64")
_NUMBERS: FrozenSet[type] = frozenset((int, float, type(None)))
_TEXTS: FrozenSet[type] = frozenset((str, bytes, type(None)))
_LENGTH = struct.Struct("<I")


def check_datatype(tensor: Tensor) -> None:
    """InvalidInput for a datatype that there is not."""
    if tensor.datatype not in NAMES:
        raise InvalidInput(
            f"input {tensor.name!r}: the datatype {tensor.datatype!r} is unknown: expected one of "
            f"{', '.join(NAMES)}.",
        )


def count_of(shape: Sequence[int]) -> int:
    """Elements of a tensor of this shape."""
    count = 1
    for size in shape:
        count *= size
    return count


def array_of(tensor: Tensor) -> np.ndarray:
    """The elements of a tensor as a flat array of its datatype; InvalidInput says what is wrong."""
    check_datatype(tensor)
    values = tensor.values
    if not isinstance(values, np.ndarray):
        values = _from_list(tensor, flat(tensor))
    expected = count_of(tensor.shape)
    if len(values) != expected:
        raise InvalidInput(
            f"input {tensor.name!r} has {len(values)} element(s): expected {expected}, the product "
            f"of its shape {list(tensor.shape)}."
        )
    return values


# JSON


def flat(tensor: Tensor) -> List[Any]:
    """The elements of a list that may be nested to the tensor's shape."""
    values: Any = tensor.values
    if list not in set(map(type, values)):
        return list(values)
    wanted = tuple(size for size in tensor.shape if size != 1)
    sizes: List[int] = []
    while list in set(map(type, values)):
        lengths = {len(value) if type(value) is list else -1 for value in values}
        if len(lengths) > 1:
            raise InvalidInput(
                f"input {tensor.name!r}: the lists of its data are of different lengths: expected "
                f"a flat list, or one that is nested to the shape {list(tensor.shape)}."
            )
        sizes.append(len(values))
        values = [element for value in values for element in value]
    count = len(values)
    nested = (sizes[0], *(b // a for a, b in zip(sizes, [*sizes[1:], count]) if a))
    if tuple(size for size in nested if size != 1) != wanted:
        raise InvalidInput(
            f"input {tensor.name!r}: its data are nested to the shape {list(nested)}; its shape is "
            f"{list(tensor.shape)}."
        )
    return list(values)


def _from_list(tensor: Tensor, values: List[Any]) -> np.ndarray:
    datatype, kinds = tensor.datatype, set(map(type, values))
    if datatype == BYTES:
        _check_kinds(tensor, values, kinds <= _TEXTS, "text")
        out = np.empty(len(values), dtype=object)
        out[:] = values
        return out
    if datatype in _FLOATS:
        _check_kinds(tensor, values, kinds <= _NUMBERS, "numbers, or null where one is missing")
        return _floats(tensor, values)
    if datatype == "BOOL":
        right = kinds <= {bool} or (kinds <= {bool, int} and set(values) <= {0, 1})
        _check_kinds(tensor, values, right, "true and false")
        return np.array(values, dtype=bool)
    _check_kinds(tensor, values, kinds <= {int}, "whole numbers")
    bounds = np.iinfo(NUMPY[datatype])
    if values and not (bounds.min <= min(values) and max(values) <= bounds.max):
        raise InvalidInput(
            f"input {tensor.name!r} holds numbers that {datatype} has not: expected {bounds.min} to "
            f"{bounds.max}; found {min(values)} to {max(values)}."
        )
    return np.array(values, dtype=NUMPY[datatype])


def _floats(tensor: Tensor, values: List[Any]) -> np.ndarray:
    try:
        found = np.array(values, dtype=np.float64)
    except OverflowError:
        raise _too_large(tensor) from None
    if tensor.datatype == "FP64":
        return found
    kind = np.dtype("f2") if tensor.datatype == "FP16" else np.dtype("f4")
    with np.errstate(over="ignore"):
        narrow = found.astype(kind)
    if (np.isinf(narrow) & np.isfinite(found)).any():
        raise _too_large(tensor)
    return narrow


def _too_large(tensor: Tensor) -> InvalidInput:
    return InvalidInput(
        f"input {tensor.name!r} holds a number that {tensor.datatype} has not: send a smaller one, "
        "or another datatype."
    )


def _check_kinds(tensor: Tensor, values: Sequence[Any], right: bool, expected: str) -> None:
    if right:
        return
    allowed: Dict[str, Tuple[type, ...]] = {
        BYTES: (str, bytes, type(None)),
        "BOOL": (bool,),
        **{name: (int, float, type(None)) for name in _FLOATS},
    }
    kinds = allowed.get(tensor.datatype, (int,))
    at = next((i for i, value in enumerate(values) if type(value) not in kinds), 0)
    raise InvalidInput(
        f"input {tensor.name!r} of the datatype {tensor.datatype} holds {values[at]!r:.60} at {at}: "
        f"expected {expected}."
    )


# Raw bytes


def from_raw(name: str, datatype: str, shape: Tuple[int, ...], raw: Buffer) -> np.ndarray:
    """The flat array that these bytes are; InvalidInput when their number is another."""
    check_datatype(Tensor(name, datatype, shape, ()))
    if datatype == BYTES:
        return _bytes_from_raw(name, raw)
    size = 2 if datatype == BF16 else NUMPY[datatype].itemsize
    expected = count_of(shape) * size
    if len(raw) != expected:
        raise InvalidInput(
            f"input {name!r} of the datatype {datatype} and the shape {list(shape)} has "
            f"{len(raw)} bytes: expected {expected}."
        )
    if datatype == BF16:
        wide: np.ndarray = np.left_shift(np.frombuffer(raw, "<u2").astype(np.uint32), 16)
        return np.asarray(wide.view(np.float32))
    if datatype == "BOOL":
        return np.frombuffer(raw, np.uint8).astype(bool)
    kind = NUMPY[datatype]
    return np.frombuffer(raw, kind.newbyteorder("<")).astype(kind, copy=False)


def _bytes_from_raw(name: str, raw: Buffer) -> np.ndarray:
    found: List[bytes] = []
    at, end = 0, len(raw)
    while at < end:
        start = at + 4
        if start > end:
            raise _cut_off(name)
        at = start + _LENGTH.unpack_from(raw, start - 4)[0]
        if at > end:
            raise _cut_off(name)
        found.append(bytes(raw[start:at]))
    out = np.empty(len(found), dtype=object)
    out[:] = found
    return out


def _cut_off(name: str) -> InvalidInput:
    return InvalidInput(
        f"input {name!r} of the datatype BYTES ends within an element: expected four bytes of "
        "length before each, then so many bytes."
    )


def to_raw(datatype: str, values: np.ndarray) -> bytes:
    """The bytes of a tensor of an answer."""
    if datatype == BYTES:
        pieces: List[bytes] = []
        for value in values.ravel().tolist():
            element = as_bytes(value)
            pieces += (_LENGTH.pack(len(element)), element)
        return b"".join(pieces)
    kind = NUMPY[datatype]
    return np.ascontiguousarray(values, kind.newbyteorder("<")).tobytes()


def as_bytes(value: Any) -> bytes:
    """An element of a BYTES tensor; a missing one is empty."""
    if isinstance(value, bytes):
        return value
    return b"" if value is None else str(value).encode("utf-8", "surrogatepass")

"""Protocol Buffers on the wire: the fields of a message, and messages made of fields.

A message of a few fields needs neither the protobuf package, which a model's own environment may
lack or have in another version, nor generated modules, of which a process can hold one copy only.
"""

from __future__ import annotations

import struct
from typing import Iterable, Iterator, Sequence, Tuple, Union

import numpy as np

from polyhost.errors import InvalidInput

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""How the value of a field is written."""
Value = Union[int, memoryview]
_LONGEST = 10
"""Bytes of the longest varint, one of 64 bits."""
_SIGN = 1 << 63
_WHOLE = 1 << 64


def fields(message: memoryview) -> Iterator[Tuple[int, int, Value]]:
    """Number, wire type and value of each field; InvalidInput where the message breaks off."""
    at, end = 0, len(message)
    while at < end:
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, at = _varint(message, at)
            yield number, kind, value
            continue
        if kind == BYTES:
            size, at = _varint(message, at)
        else:
            size = {FIXED64: 8, FIXED32: 4}.get(kind, -1)
        if size < 0 or size > end - at or not number:
            raise _broken()
        yield number, kind, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> Tuple[int, int]:
    value = shift = 0
    for place in range(at, min(at + _LONGEST, len(message))):
        byte = message[place]
        value |= (byte & 127) << shift
        if byte < 128:
            return value & (_WHOLE - 1), place + 1
        shift += 7
    raise _broken()


def _broken() -> InvalidInput:
    return InvalidInput("the message is no Protocol Buffers message, or is cut off.")


def signed(value: int) -> int:
    """The signed number of 64 bits that a varint stands for."""
    return value - _WHOLE if value >= _SIGN else value


def double(value: memoryview) -> float:
    """The number that a field of eight bytes is."""
    found: float = struct.unpack("<d", value)[0]
    return found


def text(value: Value, what: str) -> str:
    """The text of a field; InvalidInput where it is none."""
    if isinstance(value, int):
        raise _broken()
    try:
        return str(value, "utf-8")
    except UnicodeDecodeError:
        raise InvalidInput(f"{what} is not UTF-8 text.") from None


def varints(parts: Sequence[Value]) -> np.ndarray:
    """The numbers of a repeated field, packed or not, as unsigned ones of 64 bits."""
    found = [_unpacked(part) for part in parts]
    return found[0] if len(found) == 1 else np.concatenate([np.zeros(0, np.uint64), *found])


def _unpacked(part: Value) -> np.ndarray:
    if isinstance(part, int):
        return np.array([part], np.uint64)
    data = np.frombuffer(part, np.uint8)
    if not len(data):
        return np.zeros(0, np.uint64)
    ends = np.flatnonzero(data < 128)
    if not len(ends) or ends[-1] != len(data) - 1:
        raise _broken()
    if len(ends) == len(data):
        return data.astype(np.uint64)
    starts = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - starts + 1
    if lengths.max() > _LONGEST:
        raise _broken()
    places = np.arange(len(data)) - np.repeat(starts, lengths)
    shifted = (data & 127).astype(np.uint64) << (7 * places).astype(np.uint64)
    return np.asarray(np.bitwise_or.reduceat(shifted, starts))


def fixed(parts: Sequence[Value], kind: str) -> np.ndarray:
    """The numbers of a repeated field of fixed width, packed or not; ``kind`` is numpy's."""
    dtype = np.dtype(kind)
    found = []
    for part in parts:
        if isinstance(part, int) or len(part) % dtype.itemsize:
            raise _broken()
        found.append(np.frombuffer(part, dtype.newbyteorder("<")))
    return np.concatenate([np.zeros(0, dtype), *found])


# Writing


def varint(value: int) -> bytes:
    """A whole number; a negative one as 64 bits."""
    value &= _WHOLE - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number: int, value: Union[bytes, str]) -> bytes:
    """A field that holds text, bytes, or a message."""
    data = value.encode("utf-8", "replace") if isinstance(value, str) else value
    return varint(number << 3 | BYTES) + varint(len(data)) + data


def known(number: int, value: Union[bytes, str]) -> bytes:
    """The same; nothing where the value is empty, as of a field that has its default."""
    return field(number, value) if value else b""


def number(number: int, value: int) -> bytes:
    """A field that holds a whole number, or a boolean."""
    return varint(number << 3 | VARINT) + varint(value)


def packed(number: int, values: Iterable[int]) -> bytes:
    """A repeated field of whole numbers."""
    return known(number, b"".join([varint(value) for value in values]))

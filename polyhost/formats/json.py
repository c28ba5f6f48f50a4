"""JSON in and out: orjson where it is installed, the standard library where it is not.

Reading takes the ``NaN`` and ``Infinity`` literals that some clients send; writing turns those
numbers into null.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, List, Optional, Sequence

import numpy as np

from polyhost.data.payload import Buffer
from polyhost.errors import InvalidInput

try:
    import orjson
except ImportError:  # another interpreter's worker may do without
    orjson = None  # type: ignore[assignment]


def loads(body: Buffer) -> Any:
    """The value of a JSON body; InvalidInput when it is malformed."""
    if orjson is not None:
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            pass  # strict about NaN, big exponents and surrogates: the standard library decides
    try:
        return json.loads(str(body, "utf-8"), parse_float=_double)
    except (ValueError, RecursionError) as error:
        start = bytes(body[:80]).decode("utf-8", "replace")
        raise InvalidInput(
            f"the body is not valid JSON: {error}; it starts {start!r}. Send UTF-8 JSON."
        ) from error


def _double(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise InvalidInput(
            f"the body is not valid JSON: the number {text[:40]} is beyond what a 64-bit float "
            "can hold. Send a smaller one, or Infinity."
        )
    return value


def dumps(value: Any) -> bytes:
    """Compact JSON; NaN and infinity become null, numpy and date values plain ones."""
    if orjson is not None:
        try:
            return orjson.dumps(value, default=plain, option=orjson.OPT_NON_STR_KEYS)
        except TypeError:
            pass  # integers past 64 bits, lone surrogates: the standard library can
    text = json.dumps(_finite(value), default=plain, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8")


def in_ascii(body: bytes) -> bytes:
    r"""The same document as pandas writes it: ``\u00fc`` for what is not ASCII, ``\/`` for a slash.

    A client that takes an answer for Latin-1, since its type names no charset, reads it right.
    """
    body = escaped(body)
    return body.replace(b"/", b"\\/") if b"/" in body else body


def escaped(body: bytes) -> bytes:
    """The same document in ASCII alone."""
    if body.isascii():
        return body
    text = _NOT_ASCII.sub(lambda found: json.dumps(found[0])[1:-1], body.decode("utf-8"))
    return text.encode("ascii")


_NOT_ASCII = re.compile("[^\x00-\x7f]+")


def plain(value: Any) -> Any:
    """A numpy value as Python's own, bytes as text, dates as ISO text; TypeError for the rest."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, (bytes, bytearray)):
        return value.decode("utf-8", "replace")
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot be sent as JSON")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {
            key if isinstance(key, str) else str(key): _finite(item) for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def row_objects(names: Sequence[str], values: np.ndarray) -> Optional[bytes]:
    """What :func:`dumps` makes of one object a row of a float64 matrix, without those objects.

    Names are text and differ. None without orjson. Ten thousand rows of two columns take a quarter
    of the time, and leave nothing for the garbage collector to look through.
    """
    found: Optional[bytes] = None
    if orjson is not None:
        found = _row_objects(names, values) if values.size else None
    return found


def _row_objects(names: Sequence[str], values: np.ndarray) -> bytes:
    rows, width = values.shape
    pieces: List[bytes] = [b""] * (2 * rows * width)
    before = b"},{"
    for i, name in enumerate(names):
        column = np.ascontiguousarray(values[:, i])
        numbers = orjson.dumps(column, option=orjson.OPT_SERIALIZE_NUMPY)
        pieces[2 * i :: 2 * width] = [before + orjson.dumps(name) + b":"] * rows
        pieces[2 * i + 1 :: 2 * width] = numbers[1:-1].split(b",")
        before = b","
    pieces[0] = b"[" + pieces[0][2:]
    pieces.append(b"}]")
    return b"".join(pieces)

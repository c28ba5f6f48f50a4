"""Floating-point numbers as text: the shortest that reads back as the same number, many at once."""

from __future__ import annotations

from typing import List, Optional

import numpy as np

try:
    import orjson
except ImportError:  # another interpreter's worker may do without
    orjson = None  # type: ignore[assignment]

_AT_ONCE: bool = orjson is not None
_SMALLEST, _LARGEST = 1e-4, 1e16
"""From here to there Python and orjson write a number alike: beyond, exponents differ."""


def rows(matrix: np.ndarray) -> Optional[bytes]:
    """The lines of a float64 matrix as CSV, without a line end after the last.

    None where the standard way has to be taken: a missing cell alone in its line, or no orjson.
    """
    if not _AT_ONCE or not matrix.size:
        return None
    if matrix.shape[1] == 1 and np.isnan(matrix).any():
        return None
    text: bytes = orjson.dumps(np.ascontiguousarray(matrix), option=orjson.OPT_SERIALIZE_NUMPY)
    text = text[2:-2].replace(b"],[", b"\n")
    if b"null" in text:
        text = text.replace(b"null", b"")
    unusual = np.flatnonzero(_unusual(matrix).any(axis=1)).tolist()
    if not unusual:
        return text
    lines = text.split(b"\n")
    for place in unusual:
        found = ["" if cell != cell else repr(cell) for cell in matrix[place].tolist()]
        lines[place] = ",".join(found).encode("ascii")
    return b"\n".join(lines)


def cells(column: np.ndarray) -> List[str]:
    """The texts of a float64 column; a missing number is empty."""
    if not _AT_ONCE or len(column) < 2:
        return ["" if cell != cell else repr(cell) for cell in column.tolist()]
    text = orjson.dumps(np.ascontiguousarray(column), option=orjson.OPT_SERIALIZE_NUMPY)
    found = text[1:-1].decode("ascii").split(",")
    for place in np.flatnonzero(_unusual(column) | np.isnan(column)).tolist():
        value = float(column[place])
        found[place] = "" if value != value else repr(value)
    return found


def _unusual(values: np.ndarray) -> np.ndarray:
    size = np.abs(values)
    found: np.ndarray = ((size < _SMALLEST) & (size != 0)) | (size >= _LARGEST)
    return found

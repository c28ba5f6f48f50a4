"""CSV bodies without a header line: the model's own names are put before the rows.

``header=absent`` in the content type says so. SageMaker's callers send none and say nothing: where
the option ``guess_header`` is set, a first line of numbers that are not column names is a row.
"""

from __future__ import annotations

import csv
import io
from typing import Callable, List, Mapping, Optional, Sequence

from polyhost.codecs import Request
from polyhost.data.payload import Buffer
from polyhost.errors import InvalidInput
from polyhost.predictor import Predictor

_LINE_MAX = 1 << 20
_NUMBER_STARTS = frozenset(b'0123456789+-."')
_POSITION_NAMES: Mapping[str, Callable[[int], str]] = {
    "r": lambda i: f"V{i + 1}",
    "julia": lambda i: f"Column{i + 1}",
}
"""What the languages' own readers call columns without names; in all others they are numbers."""


def with_header(predictor: Predictor, request: Request, body: Buffer) -> Buffer:
    """The body with a header line; as it came where it has one."""
    presence = _presence(request.content_type)
    if presence == "present":
        return body
    if presence != "absent" and not (
        request.options.get("guess_header") and len(body) and body[0] in _NUMBER_STARTS
    ):
        return body
    first = _first_line(body)
    if presence != "absent" and not _is_row(first, predictor):
        return body
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(names_of(predictor, len(first)))
    return line.getvalue().encode("utf-8") + bytes(body)


def names_of(predictor: Predictor, width: int) -> List[str]:
    """Names for rows of so many cells that came without: the model's own, where it has some."""
    info = predictor.info
    known = [column.name for column in info.guest.columns]
    if not known or not all(known):
        named = _POSITION_NAMES.get(info.language, str)
        return [named(i) for i in range(width)]
    if len(known) != width:
        raise InvalidInput(
            f"the rows have no column names, and {width} cell(s) each: expected {len(known)}, the "
            f"model's columns in their order ({', '.join(known[:20])}). Send those, or a header.",
            expected=len(known),
            found=width,
        )
    return known


def _presence(content_type: str) -> str:
    if "header" not in content_type:
        return ""
    for parameter in content_type.lower().split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip() == "header":
            return value.strip().strip('"')
    return ""


def _first_line(body: Buffer) -> Sequence[str]:
    start = bytes(body[:_LINE_MAX]).lstrip(b"\xef\xbb\xbf\r\n")
    line = start.splitlines()[0] if start else b""
    try:
        return next(csv.reader([line.decode("utf-8")], strict=True), [])
    except (csv.Error, UnicodeDecodeError):
        return []  # for the reader that explains it


def _is_row(cells: Sequence[str], predictor: Predictor) -> bool:
    """Whether all cells are numbers, and none is a column's name; ``0,1,2`` and ``1,2,3`` are the
    names that a table without names is given."""
    values = [_number(cell) for cell in cells]
    if not values or None in values:
        return False
    known = {column.name for column in predictor.info.guest.columns}
    return not known.intersection(cells) and not _is_counted(cells)


def _is_counted(cells: Sequence[str]) -> bool:
    return any(list(cells) == [str(i + first) for i in range(len(cells))] for first in (0, 1))


def _number(cell: str) -> Optional[float]:
    try:
        return float(cell)
    except ValueError:
        return None

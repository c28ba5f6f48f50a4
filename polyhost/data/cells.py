"""What a text cell means once the kind of its column is known; the same for every format.

Each function takes one text and returns its value, None where it is missing, or raises ValueError.
"""

from __future__ import annotations

import datetime
import math
import re
from typing import Any, List, Optional

import numpy as np

MISSING_WORDS = frozenset(
    [
        *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND"),
        *("1.#QNAN", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
    ]
)
"""Spellings of a missing value in a CSV file, as pandas knows them."""

TRUE_WORDS = frozenset(["true", "t"])
FALSE_WORDS = frozenset(["false", "f"])

_NUMBER = re.compile(r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|(?i:inf|infinity))")
_INFINITE = re.compile(r"[+-]?(?i:inf|infinity)")


def number(text: str) -> Optional[float]:
    """A number, such as ``1``, ``-2.5e3``, ``inf``; ``true`` is 1 and ``false`` is 0."""
    text = text.strip()
    if text in MISSING_WORDS:
        return None
    if not _NUMBER.fullmatch(text):
        word = text.lower()
        if word in ("true", "false"):
            return float(word == "true")
        raise ValueError("expected a number")
    value = float(text)
    if math.isinf(value) and not _INFINITE.fullmatch(text):
        raise ValueError("expected a number that a 64-bit float can hold")
    return value


def integer(text: str) -> Optional[int]:
    """A whole number of 64 bits; ``1.0`` is one too."""
    stripped = text.strip()
    try:
        value: Any = int(stripped) if _is_digits(stripped) else number(text)
    except ValueError:
        raise ValueError("expected a whole number") from None
    if value is None:
        return None
    if not math.isfinite(value) or value != int(value) or not -(2**63) <= value < 2**63:
        raise ValueError("expected a whole number of 64 bits")
    return int(value)


def _is_digits(text: str) -> bool:
    digits = text[1:] if text[:1] in ("+", "-") else text
    return digits.isascii() and digits.isdigit()


def boolean(text: str) -> Optional[bool]:
    """``true`` or ``false`` in any case, ``T``, ``F``, ``1``, ``0``."""
    text = text.strip()
    if text in MISSING_WORDS:
        return None
    word = text.lower()
    if word in TRUE_WORDS:
        return True
    if word in FALSE_WORDS:
        return False
    try:
        value = number(text)
    except ValueError:
        value = None
    if value in (0.0, 1.0):
        return value == 1.0
    raise ValueError("expected true or false")


def date(text: str) -> Optional[np.datetime64]:
    """A day: ``2024-05-31`` or ``2024/05/31``; a time of day is allowed where it is midnight."""
    moment = _moment(text)
    if moment is None:
        return None
    if moment.time() != datetime.time():
        raise ValueError("expected a date without a time of day")
    return np.datetime64(moment.date(), "D")


def time(text: str) -> Optional[np.datetime64]:
    """A moment in ISO 8601, in microseconds; one with an offset is taken to UTC."""
    moment = _moment(text)
    return None if moment is None else np.datetime64(moment, "us")


_NANOSECONDS = re.compile(r":[0-9]{2}[.,]([0-9]{7,9})")


def nanoseconds(text: str) -> Optional[np.datetime64]:
    """The same in nanoseconds, of which a text may have nine digits."""
    moment = _moment(text)
    if moment is None:
        return None
    found: Any = np.datetime64(moment, "us").astype("M8[ns]")
    if found.astype("M8[us]") != np.datetime64(moment, "us"):
        raise ValueError("expected a moment from 1677 to 2262")
    more = _NANOSECONDS.search(text)
    if more is not None:
        found = found + np.timedelta64(int(more[1].ljust(9, "0")[6:]), "ns")
    nanoseconds: np.datetime64 = found
    return nanoseconds


def _moment(text: str) -> Optional[datetime.datetime]:
    text = text.strip()
    if text in MISSING_WORDS or text == "NaT":
        return None
    try:
        found = datetime.datetime.fromisoformat(_iso(text))
    except ValueError:
        raise ValueError("expected a date or time in ISO 8601, such as 2024-05-31") from None
    if found.tzinfo is not None:
        found = found.astimezone(datetime.timezone.utc).replace(tzinfo=None)
    return found


_SLASHES = re.compile(r"([0-9]{4})/([0-9]{2})/([0-9]{2})(?![0-9])")
_FRACTION = re.compile(r"(:[0-9]{2}[.,])([0-9]+)")


def _iso(text: str) -> str:
    """The text as Python 3.8 reads it too: no ``Z``, no slashes, six digits of a second."""
    text = _SLASHES.sub(r"\1-\2-\3", text)
    if text[-1:] in ("Z", "z"):
        text = text[:-1] + "+00:00"
    return _FRACTION.sub(lambda m: m[1].replace(",", ".") + (m[2] + "000000")[:6], text)


def values_of(column: np.ndarray) -> List[Any]:
    """A column's cells as Python's own values; moments in nanoseconds have none but whole numbers,
    so those lose what is below a microsecond."""
    if column.dtype == np.dtype("M8[ns]"):
        column = column.astype("M8[us]")
    values: List[Any] = column.tolist()
    return values


def text_of(value: Any) -> str:
    """A cell of JSON or Arrow as a CSV file spells it: ``1``, ``1.5``, ``true``, ``2024-05-31``."""
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (np.floating, float)):
        return repr(float(value)) if not isinstance(value, np.float32) else str(value)
    if isinstance(value, np.datetime64):
        return str(value)
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, (bytes, bytearray)):
        return value.decode("utf-8")
    return str(value)

"""Times as H2O reads them: beside ISO 8601 the forms of its own parser, and milliseconds.

H2O's parser has a zone of its own, UTC unless its operator set another; here it is UTC. What that
parser reads in more than one way, or wrongly (``12:30:00 AM`` is noon there), is refused.
"""

from __future__ import annotations

import datetime
import re
from typing import Mapping, Optional

import numpy as np

from polyhost.data import cells

_TIME = r"(?:[ :]+(?P<clock>[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?))?"
_YEAR = r"(?P<year>[0-9]{4}|[0-9]{2})"
_DATES = tuple(
    re.compile(form + _TIME)
    for form in (
        r"(?P<year>[0-9]{4})-(?P<month>[0-9]{1,2})(?:-(?P<day>[0-9]{1,2}))?",
        r"(?P<day>[0-9]{1,2})-?(?P<word>[A-Za-z]{3,9})-?" + _YEAR,
        r"(?P<month>[0-9]{1,2})(?P<mark>[-/])(?P<day>[0-9]{1,2})(?P=mark)" + _YEAR,
    )
)
_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?")
_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september"),
    *("october", "november", "december"),
)
_FIRST_YEAR_OF_1900S = 69
_LARGEST = 9.2e15


def time(text: str) -> Optional[np.datetime64]:
    """A moment in microseconds, None where it is missing; ValueError for any other text.

    A number counts milliseconds since 1970, as H2O's scorers take times. Dates may also be
    ``1/31/2020``, ``31-Jan-20`` or ``2020-1-31``; a clock time alone is one of 1970-01-01.
    """
    stripped = text.strip()
    try:
        milliseconds = cells.number(stripped)
    except ValueError:
        milliseconds = None
    else:
        if milliseconds is None:
            return None
        if not abs(milliseconds) < _LARGEST or stripped[-1:].isalpha():
            raise ValueError("expected a date, or milliseconds since 1970")
        return np.datetime64(round(milliseconds * 1000), "us")
    found = _by_parser(stripped)
    return cells.time(stripped) if found is None else np.datetime64(found, "us")


def _by_parser(text: str) -> Optional[datetime.datetime]:
    clock = _CLOCK.fullmatch(text)
    if clock:
        return _moment(datetime.date(1970, 1, 1), clock)
    for form in _DATES:
        found = form.fullmatch(text)
        if found:
            part = found.groupdict()
            day = datetime.date(_year(part["year"]), _month(part), int(part.get("day") or 1))
            return _moment(day, _CLOCK.fullmatch(part["clock"] or "0:00:00"))
    return None


def _moment(day: datetime.date, clock: Optional[re.Match[str]]) -> datetime.datetime:
    assert clock is not None, "the forms of dates hold this form"
    hour, minute, second, fraction = clock.groups()
    microsecond = int(((fraction or "") + "000000")[:6])
    time_of_day = datetime.time(int(hour), int(minute), int(second), microsecond)
    return datetime.datetime.combine(day, time_of_day)


def _year(digits: str) -> int:
    year = int(digits)
    if len(digits) == 4:
        return year
    return year + (1900 if year >= _FIRST_YEAR_OF_1900S else 2000)


def _month(part: Mapping[str, str]) -> int:
    word = (part.get("word") or "").lower()
    if not word:
        return int(part["month"])
    for number, month in enumerate(_MONTHS, start=1):
        if word in (month, month[:3]):
            return number
    raise ValueError(f"expected a month; found {word}")

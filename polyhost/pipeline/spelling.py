"""How libraries spell the name of a column that they were given when they were trained."""

from __future__ import annotations

import re
from typing import Callable, Mapping

_RESERVED = frozenset(
    [
        *("if", "else", "repeat", "while", "function", "for", "next", "break", "TRUE", "FALSE"),
        *("NULL", "Inf", "NaN", "NA", "NA_integer_", "NA_real_", "NA_character_", "in"),
    ]
)


def make_names(name: str) -> str:
    """R's ``make.names`` of one name, as ``read.csv`` spells a header."""
    spelled = "".join(c if c.isalnum() or c in "._" else "." for c in name)
    if not spelled or not (spelled[0].isalpha() or spelled[0] == ".") or _DOT_DIGIT.match(spelled):
        spelled = "X" + spelled
    return spelled + "." if spelled in _RESERVED else spelled


_DOT_DIGIT = re.compile(r"\.[0-9]")

RULES: Mapping[str, Callable[[str], str]] = {
    "": lambda name: name,
    "underscores": lambda name: name.replace(" ", "_"),
    "make.names": make_names,
}
"""By ``GuestInfo.spelling``."""

"""Sizes and durations as people write them: ``512MiB``, ``1.5GB``, ``30s``, ``2m``, ``1h30m``."""

from __future__ import annotations

import re

_SIZES = {"": 1, "b": 1}
_SIZES.update({f"{letter}ib": 1 << (10 * n) for n, letter in enumerate("kmgt", 1)})
_SIZES.update({f"{letter}b": 1000**n for n, letter in enumerate("kmgt", 1)})
_SIZES.update({letter: 1 << (10 * n) for n, letter in enumerate("kmgt", 1)})

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}

_NUMBER = r"(\d+(?:\.\d+)?|\.\d+)"
_SIZE = re.compile(_NUMBER + r"\s*([a-zA-Z]*)", re.ASCII)
_PART = re.compile(_NUMBER + r"\s*(ms|min|s|m|h|d)\s*", re.ASCII)

LONGEST = 366 * 86400.0
"""Seconds. More than any limit here means."""


def parse_size(text: str) -> int:
    """Bytes; ValueError when the text is not a size. ``K``, ``M``, ``G`` and ``T`` are binary."""
    found = _SIZE.fullmatch(text.strip())
    unit = found and _SIZES.get(found[2].lower())
    if not found or not unit:
        raise ValueError(f"{text!r} is not a size")
    whole, _, fraction = found[1].partition(".")
    # In whole numbers: a float would lose the last bytes of a large size.
    digits: int = int((whole or "0") + fraction)
    return digits * unit // int(10 ** len(fraction))


def show_size(size: int) -> str:
    """The shortest spelling that is exact."""
    for power, letter in ((4, "T"), (3, "G"), (2, "M"), (1, "K")):
        if size and size % (1 << 10 * power) == 0:
            return f"{size >> 10 * power}{letter}iB"
    return f"{size}B"


def parse_seconds(text: str) -> float:
    """Seconds, from a bare number or parts with a unit; ValueError when the text is neither."""
    text = text.strip()
    if re.fullmatch(_NUMBER, text, re.ASCII):
        seconds = float(text)
    elif re.fullmatch(f"(?:{_PART.pattern})+", text, re.ASCII):
        seconds = sum(float(part[1]) * _SECONDS[part[2]] for part in _PART.finditer(text))
    else:
        raise ValueError(f"{text!r} is not a duration")
    if seconds > LONGEST:
        raise ValueError(f"{text!r} is more than a year")
    return seconds


def show_seconds(seconds: float) -> str:
    """Whole hours or minutes where they are exact, else seconds."""
    for length, unit in ((3600, "h"), (60, "m")):
        if seconds and seconds % length == 0:
            return f"{int(seconds // length)}{unit}"
    return f"{seconds!r}s" if seconds % 1 else f"{int(seconds)}s"

"""Cells as the numbers an H2O model reads, by the rules of H2O's own wrapper.

A number, or the position of a level in its column's domain. NaN is what a missing cell, a text
that is no number, and an unknown level become.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Dict, Optional, Sequence

import numpy as np

from polyhost.data.payload import Column, Dictionary

NAN = float("nan")
_BLANKS = "".join(map(chr, range(33)))  # what Java's trim() takes off
_DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_HEXADECIMAL = re.compile(
    r"[+-]?0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][+-]?\d+", re.ASCII
)
_SUFFIXES = tuple("fFdD")
_INFINITE = {"Infinity": np.inf, "+Infinity": np.inf, "-Infinity": -np.inf}
_BOOLEANS = {True: ("true", "True", "TRUE", "1"), False: ("false", "False", "FALSE", "0")}


def parse(text: str) -> float:
    """A text as ``Double.parseDouble`` reads it; NaN when it cannot."""
    if _DECIMAL.fullmatch(text):
        return float(text)
    text = text.strip(_BLANKS)
    number = text[:-1] if text[-1:] in _SUFFIXES else text
    if _DECIMAL.fullmatch(number):
        return float(number)
    if _HEXADECIMAL.fullmatch(number):
        return _hexadecimal(number)
    return _INFINITE.get(text, NAN)


def _hexadecimal(text: str) -> float:
    try:
        return float.fromhex(text)
    except OverflowError:
        return -np.inf if text.startswith("-") else np.inf


def numbers(column: Column) -> np.ndarray:
    """A column of numbers as float64. Time counts in milliseconds since 1970, as in H2O."""
    if isinstance(column, Dictionary):
        return _pool(column, parse)
    kind = column.dtype.kind
    if kind == "M":
        milliseconds = column.astype("datetime64[ns]").astype(np.int64) / 1e6
        milliseconds[np.isnat(column)] = NAN
        return np.asarray(milliseconds)
    if kind in "biuf":
        return column if column.dtype == np.float64 else column.astype(np.float64)
    return np.array([_number(value) for value in column.tolist()], dtype=np.float64)


def _number(value: Any) -> float:
    if value is None:
        return NAN
    if isinstance(value, str):
        return parse(value)
    try:
        return float(value)
    except (TypeError, ValueError):
        return NAN


class Levels:
    """The domain of one categorical column."""

    def __init__(self, name: str, domain: Sequence[str]) -> None:
        self._positions: Dict[str, float] = {}
        for i, level in enumerate(domain):
            self._positions[level] = float(i)
        prefix = f"{name}."
        for i, level in enumerate(domain):  # "sex" with a level "sex.male" takes "male" as well
            if level.startswith(prefix):
                self._positions.setdefault(level[len(prefix) :], float(i))

    def codes(self, column: Column) -> np.ndarray:
        """The positions of a column's cells, as float64."""
        if isinstance(column, Dictionary):
            return _pool(column, self._text)
        if column.dtype.kind == "O" or len(column) < 64:
            return np.array([self._code(value) for value in column.tolist()], dtype=np.float64)
        distinct, inverse = np.unique(column, return_inverse=True)
        return np.array([self._code(value) for value in distinct.tolist()])[inverse]

    def _text(self, text: str) -> float:
        return self._positions.get(text, NAN)

    def _code(self, value: Any) -> float:
        if isinstance(value, str):
            return self._positions.get(value, NAN)
        if value is None or value != value:
            return NAN
        return next(
            (self._positions[text] for text in _spellings(value) if text in self._positions), NAN
        )


def _spellings(value: Any) -> Sequence[str]:
    """How a value that is no text may stand in a domain."""
    if isinstance(value, bool):
        return _BOOLEANS[value]
    if isinstance(value, float) and value.is_integer():
        return (str(value), str(int(value)))
    return (str(value),)


def _pool(column: Dictionary, convert: Callable[[str], float]) -> np.ndarray:
    """Each distinct value converted once; the place past the last is where code -1 points."""
    pool = np.fromiter(map(convert, column.values), dtype=np.float64, count=len(column.values))
    converted: np.ndarray = np.append(pool, NAN)[column.codes]
    return converted


def column_levels(name: str, domain: Optional[Sequence[str]]) -> Optional[Levels]:
    """The levels of a column; None where it holds numbers."""
    return None if domain is None else Levels(name, domain)

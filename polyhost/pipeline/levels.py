"""The levels of one category: which of them a cell means, and what happens to one of none."""

from __future__ import annotations

import logging
import re
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np

from polyhost.data import cells
from polyhost.data.column_info import ERROR, MISSING, OWN, WARN, ColumnInfo
from polyhost.data.payload import Column, Dictionary
from polyhost.errors import SchemaMismatch

logger = logging.getLogger(__name__)

_SHOWN = 20
_LONG = 60
_KEPT = 10000
_MISSING, _UNKNOWN = -1, -2
_PADDED = re.compile(r"[+-]?0[0-9]")


class Levels:
    """A category's levels. ``rule`` is the operator's own for unknown ones; None keeps the
    runtime's."""

    def __init__(
        self,
        info: ColumnInfo,
        rule: Optional[str] = None,
        noted: Optional[Callable[[str, str, int], None]] = None,
    ) -> None:
        self._info = info
        self._rule = info.unknown if rule in (None, WARN) else rule
        self._noted = noted
        self._exact = {level: i for i, level in enumerate(info.levels)}
        self._numbers = _unique(info.levels, _number_of)
        flags = _unique(info.levels, _flag_of)
        self._flags = flags if len(flags) == 2 else {}  # "F" beside "M" does not mean false
        self._stripped = _unique(info.levels, str.strip)
        self._found: Dict[str, int] = {}
        self._warned = False

    def missing(self, rows: int) -> Dictionary:
        """A column of missing values."""
        return self._dictionary(np.full(rows, _MISSING, np.int32), self._info.levels)

    def codes(self, name: str, column: Column) -> Dictionary:
        """The column as codes of levels, -1 where it is missing; SchemaMismatch for an unknown
        level where the rule is ``error``."""
        texts, codes = _distinct(name, column)
        places = np.array([*map(self._code, texts), _MISSING], np.int32)
        values = self._info.levels
        unknown = np.flatnonzero(places == _UNKNOWN)
        if len(unknown):
            values = self._settle(name, texts, codes, unknown, places)
        return self._dictionary(places[codes], values)

    def _dictionary(self, codes: np.ndarray, values: Tuple[str, ...]) -> Dictionary:
        return Dictionary(codes, values, factor=True, ordered=self._info.ordered)

    def _settle(
        self,
        name: str,
        texts: List[str],
        codes: np.ndarray,
        unknown: np.ndarray,
        places: np.ndarray,
    ) -> Tuple[str, ...]:
        """Give unknown texts their codes by the rule; the values that codes then refer to."""
        present = [int(i) for i in unknown if (codes == i).any()]
        for i in present:
            self._note(name, texts[i], int((codes == i).sum()))
        if present and self._rule == ERROR:
            raise self._refused(name, texts[present[0]], codes, present[0])
        if self._rule != OWN:
            places[unknown] = _MISSING
            return self._info.levels
        first = len(self._info.levels)
        places[unknown] = np.arange(first, first + len(unknown), dtype=np.int32)
        return (*self._info.levels, *(texts[i] for i in unknown))

    def _note(self, name: str, text: str, count: int) -> None:
        if self._noted is not None:
            self._noted(name, text, count)
        if not self._warned and self._rule != ERROR:
            self._warned = True
            effect = (
                "it counts as missing" if self._rule == MISSING else "the model's own rule holds"
            )
            logger.warning(
                "column %r holds %s, which the model was not trained with: %s. Said once for this "
                "column.",
                name,
                _short(text),
                effect,
            )

    def _refused(self, name: str, text: str, codes: np.ndarray, code: int) -> SchemaMismatch:
        row = int(np.argmax(codes == code)) + 1
        known = ", ".join(map(_short, self._info.levels[:_SHOWN]))
        if len(self._info.levels) > _SHOWN:
            known += f" and {len(self._info.levels) - _SHOWN} more"
        return SchemaMismatch(
            f"column {name!r}, row {row}: the model was not trained with {_short(text)}; it knows "
            f"{known}. Send one of these, or let unknown levels count as missing "
            "(--unknown-levels missing).",
            column=name,
            row=row,
            found=text[:_LONG],
            expected=list(self._info.levels[:_SHOWN]),
        )

    def _code(self, text: str) -> int:
        code = self._found.get(text)
        if code is None:
            code = self._find(text)
            if len(self._found) > _KEPT:
                self._found.clear()
            self._found[text] = code
        return code

    def _find(self, text: str) -> int:
        code = self._exact.get(text)
        if code is not None:
            return code
        if self._info.reader == "h2o" and f"{self._info.name}.{text}" in self._exact:
            return self._exact[f"{self._info.name}.{text}"]
        for table, key in ((self._numbers, _number_of), (self._flags, _flag_of)):
            found = table.get(key(text))
            if found is not None:
                return found
        stripped = text.strip()
        if stripped != text and stripped in self._exact:
            return self._exact[stripped]
        if stripped in self._stripped:
            return self._stripped[stripped]
        return _MISSING if stripped in cells.MISSING_WORDS else _UNKNOWN


def _unique(levels: Tuple[str, ...], key: Callable[[str], Any]) -> Dict[Any, int]:
    """Levels by what ``key`` makes of them, where that means just one."""
    places: Dict[Any, int] = {}
    twice = set()
    for i, level in enumerate(levels):
        found = key(level)
        if found in places:
            twice.add(found)
        places[found] = i
    return {found: i for found, i in places.items() if found is not None and found not in twice}


def _number_of(text: str) -> Optional[float]:
    """The number that a text stands for; a code with a leading zero stands for none."""
    if _PADDED.match(text.strip()):
        return None
    try:
        return cells.number(text) if text.strip()[-1:] in "0123456789." else None
    except ValueError:
        return None


def _flag_of(text: str) -> Optional[bool]:
    word = text.strip().lower()
    if word in cells.TRUE_WORDS:
        return True
    return False if word in cells.FALSE_WORDS else None


def _distinct(name: str, column: Column) -> Tuple[List[str], np.ndarray]:
    """A column's distinct texts, and each cell's place among them; -1 is missing."""
    if isinstance(column, Dictionary):
        return list(column.values), column.codes
    if column.dtype.kind in "iub":
        values, places = np.unique(column, return_inverse=True)
        return [cells.text_of(value) for value in values], places.astype(np.int32)
    positions: Dict[str, int] = {}
    codes = np.full(len(column), _MISSING, np.int32)
    for i, value in enumerate(cells.values_of(column)):
        if value is None or value != value:
            continue
        if isinstance(value, (list, dict)):
            raise SchemaMismatch(
                f"column {name!r}, row {i + 1}: found {'a list' if isinstance(value, list) else 'an object'} "
                "where the model expects a category. Send one value.",
                column=name,
                row=i + 1,
            )
        codes[i] = positions.setdefault(cells.text_of(value), len(positions))
    return list(positions), codes


def _short(text: str) -> str:
    return repr(text if len(text) <= _LONG else text[:_LONG] + "...")

"""What kind of data a column holds, guessed from its values as DRUM's type schemas name them."""

from __future__ import annotations

import base64
import binascii
import datetime
import logging
import re
from typing import FrozenSet, List, Set

import numpy as np

from polyhost.data.payload import Column, Dictionary, SparseTable, Table

logger = logging.getLogger(__name__)

NUMBER, TEXT, CATEGORY, IMAGE = "NUM", "TXT", "CAT", "IMG"
DATE, DURATION = "DATE", "DATE_DURATION"

_BY_TYPE = {"i": NUMBER, "u": NUMBER, "f": NUMBER, "M": DATE, "m": DURATION}

SPACED = 0.75
"""Least share of a text column's cells with a space in them."""
MANY, SHARE = 60, 0.05
"""A text column has so many different values, or such a share of all."""
_SPACE = re.compile(r"\s")
_IMAGES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\x00", b"MM\x00*", b"RIFF")
"""How the bytes of images begin: PNG, JPEG, GIF, BMP, TIFF, WebP."""


def kinds_of(table: Table) -> FrozenSet[str]:
    """The kinds of a table's columns: NUM, TXT, CAT, IMG, DATE or DATE_DURATION."""
    if isinstance(table, SparseTable) or table.matrix is not None:
        return frozenset((NUMBER,) if table.names else ())
    found: Set[str] = set()
    booleans = []
    for name, column in table:
        if not isinstance(column, Dictionary) and column.dtype.kind == "b":
            booleans.append(name)
            found.add(NUMBER)
        else:
            found.add(_kind(column))
    if booleans:
        logger.warning("boolean columns count as numbers: %s", ", ".join(booleans[:20]))
    return frozenset(found)


def _kind(column: Column) -> str:
    if not isinstance(column, Dictionary) and column.dtype.kind in _BY_TYPE:
        return _BY_TYPE[column.dtype.kind]
    values = column.to_objects() if isinstance(column, Dictionary) else column
    present = [value for value in values.tolist() if value is not None]
    for kind, native in ((DURATION, datetime.timedelta), (DATE, datetime.date)):
        if present and all(isinstance(value, native) for value in present):
            return kind
    texts = [value for value in present if isinstance(value, str)]
    if _are_images(texts):
        return IMAGE
    return TEXT if _are_texts(texts, len(values)) else CATEGORY


def _are_texts(texts: List[str], rows: int) -> bool:
    if not texts or sum(1 for text in texts if _SPACE.search(text)) < SPACED * rows:
        return False
    different = len(set(texts))
    return different >= MANY or different >= SHARE * rows


def _are_images(texts: List[str]) -> bool:
    return bool(texts) and all(map(_is_image, texts))


def _is_image(text: str) -> bool:
    """Whether a text is an image in base64; judged by how its bytes begin."""
    if len(text) < 16 or len(text) % 4:
        return False
    try:
        return base64.b64decode(text[:16], validate=True).startswith(_IMAGES)
    except (binascii.Error, ValueError):
        return False


def has_missing(column: Column) -> bool:
    """Whether a cell of a column is NaN, NaT or None."""
    if isinstance(column, Dictionary):
        return bool((column.codes < 0).any())
    if column.dtype.kind == "f":
        return bool(np.isnan(column).any())
    if column.dtype.kind in "mM":
        return bool(np.isnat(column).any())
    if column.dtype.kind == "O":  # NaN is the value that differs from itself
        return any(cell is None or cell != cell for cell in column.tolist())
    return False


def whole(table: Table) -> bool:
    """Whether every number of a table is a whole one."""
    if isinstance(table, SparseTable):
        return _are_whole(table.coordinates[2])
    return all(_are_whole(column) for column in table.columns)


def _are_whole(column: Column) -> bool:
    if isinstance(column, Dictionary) or column.dtype.kind != "f":
        return True
    present = column[~np.isnan(column)]
    return bool((present == np.floor(present)).all())

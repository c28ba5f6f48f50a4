"""Chunks of a Matrix Market file. Its cells come in any order: they are sorted on disk first."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np

from polyhost.batch.chunks import SparseChunk
from polyhost.errors import InvalidInput

BLOCK = 8 << 20
_CELL = np.dtype([("row", "<i8"), ("column", "<i8"), ("value", "<f8")])
_KINDS = ("real", "integer", "double", "pattern")
_MIRRORED = {"general": 0.0, "symmetric": 1.0, "skew-symmetric": -1.0}
"""What a cell's mirror image is multiplied by."""
_HINT = (
    "Expected a line '%%MatrixMarket matrix coordinate real general', the sizes, then one cell a "
    "line."
)


@dataclass(frozen=True)
class _Sizes:
    rows: int
    columns: int
    cells: int
    pattern: bool
    mirrored: float


def chunks(place: int, read: Callable[[int], bytes], rows: int | None) -> Iterator[SparseChunk]:
    """Chunks of ``rows`` rows; None is the whole matrix."""
    groups = _lines(read)
    sizes, rest = _read_sizes(next(groups))
    if not sizes.rows:
        raise InvalidInput("the matrix has no rows: expected at least one.")
    rows = rows or sizes.rows
    with tempfile.TemporaryDirectory(prefix="polyhost-mtx-") as folder:
        _sort(chain([rest], groups), sizes, folder, rows)
        for number, start in enumerate(range(0, sizes.rows, rows)):
            cells = _load(folder, number)
            row, column, value = (cells[name].copy() for name in ("row", "column", "value"))
            count = min(rows, sizes.rows - start)
            yield SparseChunk(place, start + 1, count, sizes.columns, (row - start, column, value))


def _lines(read: Callable[[int], bytes]) -> Iterator[list[bytes]]:
    """Lines in groups, so that memory is bounded."""
    pending, final = b"", False
    while not final:
        block = read(BLOCK)
        final = len(block) < BLOCK
        *lines, pending = (pending + block).split(b"\n")
        yield [*lines, pending] if final else lines


def _read_sizes(lines: list[bytes]) -> tuple[_Sizes, list[bytes]]:
    """What the head of the file says, and the lines after it."""
    head = lines[0].decode("latin-1").lower().split()
    if head[:3] != ["%%matrixmarket", "matrix", "coordinate"] or len(head) != 5:
        raise InvalidInput(f"it is not Matrix Market text: it starts {lines[0][:80]!r}. {_HINT}")
    if head[3] not in _KINDS or head[4] not in _MIRRORED:
        raise InvalidInput(f"cells that are {' '.join(head[3:])} cannot be scored. {_HINT}")
    for number, line in enumerate(lines[1:], start=2):
        if line.strip() and not line.startswith(b"%"):
            try:
                rows, columns, cells = map(int, line.split())
            except ValueError:
                raise InvalidInput(f"the sizes are {line[:80]!r}. {_HINT}") from None
            sizes = _Sizes(rows, columns, cells, head[3] == "pattern", _MIRRORED[head[4]])
            return sizes, lines[number:]
    raise InvalidInput(f"the sizes are missing. {_HINT}")


def _sort(groups: Iterator[list[bytes]], sizes: _Sizes, folder: str, rows: int) -> None:
    """Write each cell to the file of its chunk."""
    seen = 0
    for lines in groups:
        cells = _cells([line for line in lines if line.strip()], sizes)
        seen += len(cells)
        if sizes.mirrored:
            cells = np.concatenate((cells, _mirrored(cells, sizes.mirrored)))
        numbers = cells["row"] // rows
        for number in np.unique(numbers).tolist():
            with open(os.path.join(folder, str(number)), "ab") as file:
                file.write(cells[numbers == number].tobytes())
    if seen != sizes.cells:
        raise InvalidInput(
            f"the matrix has {seen} cell(s): its head says {sizes.cells}. Is the file cut off?"
        )


def _cells(lines: list[bytes], sizes: _Sizes) -> np.ndarray:
    width = 2 if sizes.pattern else 3
    try:
        numbers = np.array(b" ".join(lines).split(), np.float64).reshape(-1, width)
        if len(numbers) != len(lines):
            raise ValueError("a line has another number of fields")
    except ValueError as error:
        raise InvalidInput(f"a cell is not {width} numbers: {error}. {_HINT}") from None
    cells = np.empty(len(numbers), _CELL)
    cells["row"], cells["column"] = numbers[:, 0] - 1, numbers[:, 1] - 1
    cells["value"] = 1.0 if sizes.pattern else numbers[:, 2]
    for name, most in (("row", sizes.rows), ("column", sizes.columns)):
        outside = (cells[name] < 0) | (cells[name] >= most)
        if outside.any():
            found = int(cells[name][np.argmax(outside)]) + 1
            raise InvalidInput(f"a cell is in {name} {found}: expected 1 to {most}.")
    return cells


def _mirrored(cells: np.ndarray, factor: float) -> np.ndarray:
    off = cells[cells["row"] != cells["column"]].copy()
    off["row"], off["column"] = off["column"].copy(), off["row"].copy()
    off["value"] *= factor
    found: np.ndarray = off
    return found


def _load(folder: str, number: int) -> np.ndarray:
    path = os.path.join(folder, str(number))
    if not os.path.exists(path):
        return np.empty(0, _CELL)
    cells: np.ndarray = np.fromfile(path, _CELL)
    os.unlink(path)
    found: np.ndarray = cells[np.lexsort((cells["column"], cells["row"]))]
    return found

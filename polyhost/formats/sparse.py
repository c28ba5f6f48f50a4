"""Matrix Market coordinate text: sparse numeric tables."""

from __future__ import annotations

from typing import Any, List, Optional, Sequence

import numpy as np

from polyhost.data.payload import Buffer, SparseTable
from polyhost.errors import InvalidInput, RuntimeUnavailable
from polyhost.formats import streams

MIMETYPE = "text/mtx"


def read(body: Buffer, names: Optional[Sequence[str]] = None) -> SparseTable:
    """The table of a Matrix Market body; columns are named 0, 1, ... when ``names`` is None."""
    matrix = _parse(body)
    rows, width = matrix.shape
    if names is None:
        names = [str(i) for i in range(width)]
    if len(names) != width:
        raise InvalidInput(
            f"{len(names)} column name(s) for a sparse matrix of {width} column(s): expected one "
            "name for each column.",
            expected=width,
            found=len(names),
        )
    values = np.asarray(matrix.data, dtype=np.float64)
    return SparseTable(names, rows, (matrix.row, matrix.col, values))


def _parse(body: Buffer) -> Any:
    try:
        from scipy import io, sparse
    except ImportError as error:
        raise RuntimeUnavailable(
            f"sparse input needs scipy: {error}. Install it with: pip install scipy"
        ) from error
    try:
        return sparse.coo_matrix(_read(io.mmread, streams.reader(body)))
    except (ValueError, TypeError, StopIteration, OverflowError) as error:
        raise InvalidInput(
            f"the body is not Matrix Market text: {error}. Expected a line "
            "'%%MatrixMarket matrix coordinate real general', the sizes, then one cell a line."
        ) from error


def _read(mmread: Any, stream: Any) -> Any:
    try:
        return mmread(stream, spmatrix=True)  # scipy 1.18 warns of another default to come
    except TypeError as error:
        if "spmatrix" not in str(error):
            raise
        return mmread(stream)  # before scipy 1.15


def read_names(body: Buffer) -> List[str]:
    """Column names, one a line, stripped; blank lines at the end do not count."""
    try:
        lines = str(body, "utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InvalidInput(f"the sparse column names are not UTF-8 text: {error}.") from error
    names = [line.strip() for line in lines]
    while names and not names[-1]:
        names.pop()
    return names


def write(table: SparseTable) -> bytes:
    """Matrix Market text of a table, without its names."""
    row, column, values = table.coordinates
    head = f"%%MatrixMarket matrix coordinate real general\n{table.rows} {len(table.names)} "
    cells = "".join(
        f"{i + 1} {j + 1} {value!r}\n"
        for i, j, value in zip(row.tolist(), column.tolist(), values.tolist())
    )
    return f"{head}{len(values)}\n{cells}".encode("ascii")

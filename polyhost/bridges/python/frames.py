"""DataFrames and neutral tables. pandas is imported when a frame is first needed."""

from __future__ import annotations

import sys
from typing import Any, List, Optional

import numpy as np

from polyhost.data.payload import Dictionary, Payload, SparseTable, Table
from polyhost.errors import InvalidOutput, RuntimeUnavailable, UnsupportedContentType
from polyhost.formats import arrow, csv, csv_cells, sparse

_CSV_TYPES = ("", "text/csv", "text/plain")
SPARSE_NAMES = "X.colnames"


def pandas() -> Any:
    """The pandas module; RuntimeUnavailable with the install command when there is none."""
    try:
        import pandas
    except ImportError as error:
        raise RuntimeUnavailable(
            f"this model's data must be a DataFrame, and {sys.executable} has no pandas: {error}. "
            "Install it there with: pip install pandas",
            language="python",
        ) from error
    return pandas


def is_frame(value: Any) -> bool:
    """Whether a value is a DataFrame; imports nothing."""
    module = sys.modules.get("pandas")
    return module is not None and isinstance(value, module.DataFrame)


def read(payload: Payload, table: bool = False, numeric: bool = False, texts: bool = False) -> Any:
    """A body as pandas reads it. Where ``table`` allows it, a Table may come instead of a frame;
    ``numeric`` says that all of it may become one matrix, ``texts`` that it stays text."""
    kind = payload.mimetype.lower()
    if kind == sparse.MIMETYPE:
        found: Table = sparse.read(payload.body, sparse_names(payload))
        return found if table else from_table(found)
    if kind in arrow.MIMETYPES:
        found = arrow.read(payload.body)
        return found if table else from_table(found)
    if kind not in _CSV_TYPES:
        raise UnsupportedContentType(
            f"payload format {payload.mimetype!r} is not supported: expected text/csv, "
            f"{sparse.MIMETYPE} or {arrow.MIMETYPES[0]}. Define read_input_data to read others.",
            content_type=payload.mimetype,
        )
    if texts:
        return csv_cells.read(payload.body)
    if numeric:
        numbers = csv.read_numbers(payload.body)
        if numbers is not None:
            return numbers
    if table and _no_pandas():
        return csv.read_table(payload.body)
    pandas()
    return csv.read_frame(payload.body)


def _no_pandas() -> bool:
    try:
        pandas()
    except RuntimeUnavailable:
        return True
    return False


def sparse_names(payload: Payload) -> Optional[List[str]]:
    """Names of sparse columns that came beside the body, or None."""
    names = payload.parts.get(SPARSE_NAMES)
    return None if names is None else sparse.read_names(names)


def typed(table: Table) -> Table:
    """The table with cells of a CSV file typed as ``read_csv`` types a column."""
    if table.matrix is not None or isinstance(table, SparseTable):
        return table
    columns = [
        csv.typed(c) if isinstance(c, Dictionary) and c.untyped else c for c in table.columns
    ]
    found = Table(table.names, columns, index=table.index)
    found.labels = table.labels
    return found


def from_table(table: Table) -> Any:
    """A DataFrame of a table; missing text is NaN, as ``read_csv`` has it."""
    pd = pandas()
    if isinstance(table, SparseTable):
        return _sparse_frame(pd, table)
    if table.matrix is not None:
        return pd.DataFrame(table.matrix, columns=list(table.names))
    columns = {}
    for i, column in enumerate(table.columns):
        values = column.to_objects() if isinstance(column, Dictionary) else column
        columns[i] = _nan_for_none(values) if values.dtype.kind == "O" else values
    frame = pd.DataFrame(columns, index=pd.RangeIndex(table.rows))
    frame.columns = pd.Index(table.names, dtype=object if not table.names else None)
    if table.index is not None:
        frame.index = pd.Index(list(table.index))
    return frame


def series(table: Optional[Table]) -> Any:
    """The only column of a table as a Series with its name; None of None."""
    return None if table is None else from_table(table).iloc[:, 0]


def _nan_for_none(values: np.ndarray) -> np.ndarray:
    missing = [i for i, value in enumerate(values) if value is None]
    if not missing:
        return values
    values = values.copy()
    values[missing] = np.nan
    return values


def _sparse_frame(pd: Any, table: SparseTable) -> Any:
    frame = pd.DataFrame.sparse.from_spmatrix(to_csr(table))
    frame.columns = pd.Index(table.names)
    return frame


def to_csr(table: SparseTable) -> Any:
    """The table as a scipy matrix, rows compressed."""
    from scipy.sparse import csr_matrix

    row, column, values = table.coordinates
    return csr_matrix((values, (row, column)), shape=(table.rows, len(table.names)))


def to_table(frame: Any, hook: str = "score") -> Table:
    """A DataFrame as a neutral table, sparse when it is; InvalidOutput when it is none."""
    if not is_frame(frame):
        raise InvalidOutput(
            f"{hook} must return a dataframe, but received {type(frame)}.",
            language="python",
            hook=hook,
            found=type(frame).__name__,
        )
    if frame.shape[1] and all(hasattr(kind, "fill_value") for kind in frame.dtypes):
        matrix = frame.sparse.to_coo()
        coordinates = (matrix.row, matrix.col, np.asarray(matrix.data))
        return SparseTable([str(name) for name in frame.columns], len(frame), coordinates)
    return Table.from_pandas(frame)


def from_transformer(found: Any) -> Any:
    """What an estimator's ``transform`` returned, as a frame with columns 0, 1, ... if it named
    none."""
    if is_frame(found):
        return found
    pd = pandas()
    if hasattr(found, "tocoo"):
        return pd.DataFrame.sparse.from_spmatrix(found)
    return pd.DataFrame(np.asarray(found))

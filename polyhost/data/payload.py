"""What goes into a model and comes out of it, in no language's own types.

A request starts as a :class:`Payload` (the bytes as they came); a :class:`Table`, tensors or
messages are decoded from it on demand. Only the standard library and numpy are needed here;
pandas and pyarrow are used where the caller brings their objects.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

Buffer = Union[bytes, bytearray, memoryview]


@dataclass(frozen=True)
class Payload:
    """A body as it came (or goes), untouched.

    ``mimetype`` has no parameters and keeps the sender's spelling; empty means none was sent.
    ``query`` keeps every pair in order. ``headers`` is None in batch mode. ``parts`` holds what
    a multipart request carried beside the body itself (``X.colnames``, ``y``). ``table`` holds
    the body's rows where its codec has decoded them already (JSON, Arrow). ``options`` are the
    operator's switches that came with the request (``strict_rows``).
    """

    body: Buffer
    mimetype: str = ""
    charset: Optional[str] = None
    query: Tuple[Tuple[str, str], ...] = ()
    headers: Optional[Mapping[str, str]] = None
    parts: Mapping[str, Buffer] = field(default_factory=dict)
    table: Optional[Table] = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def bytes(self) -> bytes:
        """The body as bytes; copies only when it is not bytes already."""
        return self.body if isinstance(self.body, bytes) else bytes(self.body)


@dataclass(frozen=True)
class Dictionary:
    """A text column as codes into its distinct values; -1 is missing.

    ``factor``: a category whose levels are ``values``, in that order; ``ordered`` if the order
    means something. ``untyped``: cells of a CSV file as they stand there, whose kind nobody knows.
    """

    codes: np.ndarray  # int32, shape (rows,)
    values: Tuple[str, ...]
    factor: bool = False
    ordered: bool = False
    untyped: bool = False

    def __len__(self) -> int:
        return len(self.codes)

    def to_objects(self) -> np.ndarray:
        """The column as an object array of str and None, shape (rows,)."""
        pool = np.empty(len(self.values) + 1, dtype=object)
        pool[:-1] = self.values
        pool[-1] = None
        return np.asarray(pool[self.codes])


Column = Union[np.ndarray, Dictionary]
"""A numpy array of bool, int, uint, float, datetime64 or object (str, None, any), or a
Dictionary. Missing is NaN, NaT or None; an int column has no missing values."""


class Table:
    """Named columns of equal length. Names may repeat; order matters. Never changed in place.

    ``index`` names the rows, where they have names; ``labels`` are the columns' names as a client
    gave them, where they are numbers.
    """

    __slots__ = ("names", "_columns", "rows", "index", "matrix", "labels")

    def __init__(
        self,
        names: Sequence[str],
        columns: Sequence[Column],
        *,
        index: Optional[Sequence[Any]] = None,
        matrix: Optional[np.ndarray] = None,
    ) -> None:
        self.names: Tuple[str, ...] = tuple(names)
        self._columns: Optional[Tuple[Column, ...]] = tuple(columns)
        self.index = index
        self.labels: Optional[Sequence[Any]] = None
        self.matrix = matrix
        if len(self.names) != len(self._columns):
            raise ValueError(f"{len(self.names)} names for {len(self._columns)} columns")
        lengths = {len(column) for column in self._columns}
        if len(lengths) > 1:
            raise ValueError(f"columns of different lengths: {sorted(lengths)}")
        self.rows: int = lengths.pop() if lengths else 0

    @classmethod
    def from_matrix(cls, names: Sequence[str], matrix: np.ndarray) -> Table:
        """A table over a 2-D numeric array, shape (rows, columns), kept as ``matrix``."""
        table = Table.__new__(Table)
        table.names = tuple(names)
        table._columns = None
        table.index = None
        table.labels = None
        table.matrix = matrix
        table.rows, width = matrix.shape
        if width != len(table.names):
            raise ValueError(f"{len(table.names)} names for {width} columns")
        return table

    @property
    def columns(self) -> Tuple[Column, ...]:
        """The columns in order; of a matrix, views that are made when first asked for."""
        if self._columns is None:
            self._columns = self._make_columns()
        return self._columns

    def _make_columns(self) -> Tuple[Column, ...]:
        assert self.matrix is not None
        return tuple(self.matrix.T)

    def __len__(self) -> int:
        return self.rows

    def __iter__(self) -> Iterator[Tuple[str, Column]]:
        return iter(zip(self.names, self.columns))

    def __repr__(self) -> str:
        return f"Table({self.rows} rows: {', '.join(self.names)})"

    def column(self, name: str) -> Column:
        """The first column of that name; KeyError when there is none."""
        try:
            return self.columns[self.names.index(name)]
        except ValueError:
            raise KeyError(name) from None

    def select(self, positions: Sequence[int]) -> Table:
        """A table of the columns at these positions, in that order."""
        return Table(
            [self.names[i] for i in positions],
            [self.columns[i] for i in positions],
            index=self.index,
        )

    def renamed(self, names: Sequence[str]) -> Table:
        return Table(names, self.columns, index=self.index, matrix=self.matrix)

    def slice(self, start: int, stop: int) -> Table:
        """Rows start..stop, sharing memory."""
        if self.matrix is not None:
            return Table.from_matrix(self.names, self.matrix[start:stop])
        parts: List[Column] = [
            replace(c, codes=c.codes[start:stop]) if isinstance(c, Dictionary) else c[start:stop]
            for c in self.columns
        ]
        return Table(
            self.names, parts, index=None if self.index is None else self.index[start:stop]
        )

    @classmethod
    def from_pandas(cls, frame: Any) -> Table:
        """A table of a DataFrame's columns; non-default indexes are kept as ``index``."""
        columns = [_from_series(frame.iloc[:, i]) for i in range(frame.shape[1])]
        index = frame.index
        default = type(index).__name__ == "RangeIndex" and index.start == 0 and index.step == 1
        table = cls(
            [str(name) for name in frame.columns],
            columns,
            index=None if default else index.tolist(),
        )
        if not columns:
            table.rows = len(frame)
        return table

    def to_pandas(self) -> Any:
        """A DataFrame with these columns; duplicate names stay duplicate."""
        import pandas as pd

        arrays: Dict[int, Any] = {
            i: c.to_objects() if isinstance(c, Dictionary) else c
            for i, c in enumerate(self.columns)
        }
        frame = pd.DataFrame(arrays, index=pd.RangeIndex(self.rows))
        frame.columns = pd.Index(self.names)
        if self.index is not None:
            frame.index = pd.Index(list(self.index))
        return frame


class SparseTable(Table):
    """A numeric table of which most cells are zero, held by its coordinates.

    ``row``, ``column`` (positions) and ``values`` are arrays of one length; ``columns`` is the
    dense form, made when somebody asks for it.
    """

    __slots__ = ("coordinates",)

    def __init__(
        self,
        names: Sequence[str],
        rows: int,
        coordinates: Tuple[np.ndarray, np.ndarray, np.ndarray],
    ) -> None:
        super().__init__((), ())
        self.names = tuple(names)
        self.rows = rows
        self.coordinates = coordinates
        self._columns = None

    def _make_columns(self) -> Tuple[Column, ...]:
        row, column, values = self.coordinates
        dense = np.zeros((len(self.names), self.rows))
        np.add.at(dense, (column, row), values)
        return tuple(dense)

    def select(self, positions: Sequence[int]) -> Table:
        """As of any table; it stays sparse, unless a column is asked for twice."""
        if len(set(positions)) != len(positions):
            return super().select(positions)
        row, column, values = self.coordinates
        place = np.full(len(self.names), -1)
        place[list(positions)] = np.arange(len(positions))
        kept = place[column] >= 0
        coordinates = (row[kept], place[column[kept]], values[kept])
        return SparseTable([self.names[i] for i in positions], self.rows, coordinates)

    def slice(self, start: int, stop: int) -> Table:
        """As of any table; it stays sparse, and is a copy."""
        row, column, values = self.coordinates
        start, stop, _ = slice(start, stop).indices(self.rows)
        kept = (row >= start) & (row < stop)
        coordinates = (row[kept] - start, column[kept], values[kept])
        return SparseTable(self.names, max(0, stop - start), coordinates)


def _from_series(series: Any) -> Column:
    values = series.to_numpy()
    if values.dtype.kind in "biufM":
        return np.asarray(values)
    values = series.astype(object).to_numpy()
    missing = series.isna().to_numpy()
    if missing.any():
        values = values.copy()
        values[missing] = None
    return np.asarray(values)


@dataclass(frozen=True)
class Tensors:
    """Named arrays; the first axis of each is the rows. A single array may be called ``""``.

    A guest that works on arrays gets them as they are; for any other they become a table.
    """

    arrays: Mapping[str, np.ndarray]

    def to_table(self, columns: Sequence[str] = ()) -> Table:
        """Vectors as columns of their own, a matrix as one column each.

        A single unnamed matrix takes the model's own column names where their number agrees, else
        ``0``, ``1``, ...; the columns of a named one are ``name.0``, ``name.1``, ... ValueError
        when an array has more than two axes, or the numbers of rows differ.
        """
        if len(self.arrays) == 1 and "" in self.arrays and self.arrays[""].ndim == 2:
            matrix = self.arrays[""]
            fits = len(columns) == matrix.shape[1]
            names = columns if fits else [str(i) for i in range(matrix.shape[1])]
            return Table.from_matrix(names, matrix)
        found: List[Column] = []
        names = []
        for name, array in self.arrays.items():
            if array.ndim == 1:
                names.append(name)
                found.append(array)
            elif array.ndim == 2:
                names += [f"{name}.{i}" for i in range(array.shape[1])]
                found += list(array.T)
            else:
                raise ValueError(
                    f"tensor {name!r} of shape {array.shape} is no table: expected one or two axes"
                )
        return Table(names, found)


@dataclass(frozen=True)
class Scores:
    """What a structured model answered: prediction columns, and extra output beside them."""

    predictions: Table
    extra: Optional[Table] = None

    def together(self) -> Table:
        """One table: prediction columns, then the extra ones beside them by position."""
        if self.extra is None:
            return self.predictions
        both = (self.predictions, self.extra)
        return Table(
            [name for table in both for name in table.names],
            [column for table in both for column in table.columns],
        )

    def slice(self, start: int, stop: int) -> Scores:
        return Scores(
            self.predictions.slice(start, stop),
            None if self.extra is None else self.extra.slice(start, stop),
        )

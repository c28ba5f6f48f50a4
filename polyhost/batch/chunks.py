"""A piece of one input that is scored by one call: CSV text, JSON lines, a record batch, sparse cells."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol

import numpy as np

from polyhost.batch import csv_rows
from polyhost.batch.engine import STREAM, to_stream
from polyhost.codecs.accept import LINES
from polyhost.formats import sparse


class Chunk(Protocol):
    """Rows of one input that follow each other.

    ``input``: place of the input among all. ``first``: number of the first row there, from 1.
    ``rows``: how many they are. ``content_type``: what a worker gets them as.
    """

    @property
    def input(self) -> int: ...

    @property
    def first(self) -> int: ...

    @property
    def rows(self) -> int: ...

    @property
    def names(self) -> Sequence[str]:
        """Names of the columns."""
        ...

    @property
    def content_type(self) -> str: ...

    def body(self, witnesses: Sequence[Any] = ()) -> list[bytes]:
        """The chunk as a body in pieces, with witness rows before its own."""
        ...

    def part(self, start: int, stop: int) -> Chunk:
        """Rows start..stop of it."""
        ...

    def texts(self) -> list[list[str]]:
        """The cells of each row as text, for people."""
        ...

    def witness(self, row: int) -> Any:
        """One row in the form that ``body`` takes as a witness."""
        ...

    def of_witness(self, witness: Any) -> Chunk:
        """A chunk of such a row alone."""
        ...

    def fitting(self, witnesses: Sequence[Any]) -> Sequence[Any]:
        """Those witnesses, of any of the inputs, that can stand in this chunk."""
        ...


@dataclass(frozen=True)
class CsvWitness:
    """A line of a CSV file, and the names in that file's header."""

    names: tuple[str, ...]
    line: bytes

    def as_line(self, header: csv_rows.Header) -> bytes:
        """The line under another header of the same names."""
        if header.names == self.names:
            return self.line
        text = io.StringIO(self.line.decode("utf-8"), newline="")
        cells = dict(zip(self.names, next(csv.reader(text, delimiter=header.delimiter))))
        out = io.StringIO()
        writer = csv.writer(out, delimiter=header.delimiter, lineterminator="\n")
        writer.writerow([cells[name] for name in header.names])
        return out.getvalue().encode("utf-8")


@dataclass(frozen=True)
class CsvChunk:
    """Lines of a CSV file, in UTF-8, without their header."""

    input: int
    first: int
    rows: int
    header: csv_rows.Header
    data: bytes
    content_type: ClassVar[str] = "text/csv"

    @property
    def names(self) -> Sequence[str]:
        return self.header.names

    def body(self, witnesses: Sequence[CsvWitness] = ()) -> list[bytes]:
        return [self.header.line, *(each.as_line(self.header) for each in witnesses), self.data]

    def part(self, start: int, stop: int) -> CsvChunk:
        starts, ends = csv_rows.row_places(self.data, self.header)
        data = self.data[starts[start] : ends[stop - 1]] if stop > start else b""
        return replace(self, first=self.first + start, rows=stop - start, data=data)

    def texts(self) -> list[list[str]]:
        text = self.data.decode("utf-8", "replace")
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=self.header.delimiter)
        return [line or [""] for line in lines if line or len(self.names) == 1]

    def witness(self, row: int) -> CsvWitness:
        data = self.part(row, row + 1).data
        return CsvWitness(self.header.names, data if data.endswith(b"\n") else data + b"\n")

    def of_witness(self, witness: CsvWitness) -> CsvChunk:
        return replace(self, rows=1, data=witness.as_line(self.header))

    def fitting(self, witnesses: Sequence[CsvWitness]) -> Sequence[CsvWitness]:
        own = set(self.names)
        return [each for each in witnesses if own == set(each.names)]


@dataclass(frozen=True)
class JsonChunk:
    """Lines of JSON, an object each."""

    input: int
    first: int
    lines: list[bytes]
    names: Sequence[str]
    content_type: ClassVar[str] = LINES

    @property
    def rows(self) -> int:
        return len(self.lines)

    def body(self, witnesses: Sequence[bytes] = ()) -> list[bytes]:
        return [b"\n".join([*witnesses, *self.lines, b""])]

    def part(self, start: int, stop: int) -> JsonChunk:
        return replace(self, first=self.first + start, lines=self.lines[start:stop])

    def texts(self) -> list[list[str]]:
        return [[line.decode("utf-8", "replace")] for line in self.lines]

    def witness(self, row: int) -> bytes:
        return self.lines[row]

    def of_witness(self, witness: bytes) -> JsonChunk:
        return replace(self, lines=[witness])

    def fitting(self, witnesses: Sequence[bytes]) -> Sequence[bytes]:
        return witnesses


@dataclass(frozen=True)
class TableChunk:
    """A record batch of Arrow or Parquet."""

    input: int
    first: int
    batch: Any
    content_type: ClassVar[str] = STREAM

    @property
    def rows(self) -> int:
        return int(self.batch.num_rows)

    @property
    def names(self) -> Sequence[str]:
        return list(self.batch.schema.names)

    def body(self, witnesses: Sequence[Any] = ()) -> list[bytes]:
        if not witnesses:
            return [to_stream(self.batch)]
        import pyarrow as pa

        table = pa.Table.from_batches([*witnesses, self.batch]).combine_chunks()
        return [to_stream(table.to_batches()[0])]

    def part(self, start: int, stop: int) -> TableChunk:
        return replace(self, first=self.first + start, batch=self.batch.slice(start, stop - start))

    def texts(self) -> list[list[str]]:
        columns = [column.to_pylist() for column in self.batch.columns]
        return [["" if cell is None else str(cell) for cell in row] for row in zip(*columns)]

    def witness(self, row: int) -> Any:
        return self.batch.slice(row, 1)

    def of_witness(self, witness: Any) -> TableChunk:
        return replace(self, batch=witness)

    def fitting(self, witnesses: Sequence[Any]) -> Sequence[Any]:
        return [each for each in witnesses if each.schema == self.batch.schema]


@dataclass(frozen=True)
class SparseChunk:
    """Cells of some rows of a Matrix Market file; rows count from the chunk's first."""

    input: int
    first: int
    rows: int
    width: int
    cells: tuple[np.ndarray, np.ndarray, np.ndarray] = field(repr=False)
    content_type: ClassVar[str] = sparse.MIMETYPE

    @property
    def names(self) -> Sequence[str]:
        return [str(i) for i in range(self.width)]

    def body(self, witnesses: Sequence[Any] = ()) -> list[bytes]:
        row, column, values = self.cells
        head = f"%%MatrixMarket matrix coordinate real general\n{self.rows} {self.width} "
        lines = [
            f"{i} {j} {value!r}\n"
            for i, j, value in zip((row + 1).tolist(), (column + 1).tolist(), values.tolist())
        ]
        return [f"{head}{len(lines)}\n{''.join(lines)}".encode("ascii")]

    def part(self, start: int, stop: int) -> SparseChunk:
        row, column, values = self.cells
        kept = (row >= start) & (row < stop)
        cells = (row[kept] - start, column[kept], values[kept])
        return replace(self, first=self.first + start, rows=stop - start, cells=cells)

    def texts(self) -> list[list[str]]:
        lines: list[list[str]] = [[] for _ in range(self.rows)]
        for i, j, value in zip(*(part.tolist() for part in self.cells)):
            lines[i].append(f"{j}:{value!r}")
        return [[" ".join(line)] for line in lines]

    def witness(self, row: int) -> Any:
        raise NotImplementedError("a sparse matrix holds numbers alone")

    def of_witness(self, witness: Any) -> Chunk:
        raise NotImplementedError("a sparse matrix holds numbers alone")

    def fitting(self, witnesses: Sequence[Any]) -> Sequence[Any]:
        return ()

"""Chunks of Parquet files, folders of them, and Arrow IPC files and streams."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from polyhost.batch.chunks import TableChunk
from polyhost.batch.inputs import STDIN, Input, kept
from polyhost.errors import InvalidInput
from polyhost.formats import tables

_FILE_MARK = b"ARROW1"
_PARQUET_MARK = b"PAR1"


def chunks(place: int, source: Input, rows: int | None) -> Iterator[TableChunk]:
    """Record batches of ``rows`` rows, the last of each file shorter; None is the whole input."""
    import pyarrow as pa

    first, names = 1, []
    try:
        for batch in _sized(_batches(source, rows), rows):
            if first == 1:
                names = batch.schema.names
                tables.check_names(names)
            yield TableChunk(place, first, batch)
            first += batch.num_rows
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError, EOFError) as error:
        raise InvalidInput(
            f"{source.name} is not a whole {source.format} file: {error}. It is cut off, damaged or "
            "of another format: write it again, or give --input-format."
        ) from error
    if first == 1:
        raise tables.no_rows(names)


def _batches(source: Input, rows: int | None) -> Iterator[Any]:
    if source.is_folder:
        yield from _dataset(source.name, rows)
    elif source.format == "parquet":
        with kept(source) as file, _opened(file) as stream:
            yield from _parquet(stream, rows)
    else:
        with _opened(source) as stream:
            yield from _arrow(stream)


@contextmanager
def _opened(source: Input) -> Iterator[Any]:
    if source.is_address or source.name == STDIN:
        with source.open() as file:
            yield file
    else:
        import pyarrow as pa

        with pa.OSFile(source.name, "rb") as mapped:
            yield mapped


def _parquet(stream: Any, rows: int | None) -> Iterator[Any]:
    from pyarrow import parquet

    file = parquet.ParquetFile(stream, pre_buffer=False)
    yield from file.iter_batches(batch_size=rows or 1 << 16, use_threads=False)


def _arrow(stream: BinaryIO) -> Iterator[Any]:
    import pyarrow as pa

    if stream.seekable():
        head = stream.read(len(_FILE_MARK))
        stream.seek(0)
        if bytes(head) == _FILE_MARK:
            file = pa.ipc.open_file(stream)
            for i in range(file.num_record_batches):
                yield file.get_batch(i)
            return
        if bytes(head).startswith(_PARQUET_MARK):
            raise pa.ArrowInvalid("it is a Parquet file")
    with pa.ipc.open_stream(stream) as reader:
        yield from reader


def _dataset(folder: str, rows: int | None) -> Iterator[Any]:
    """The files of a folder in the order of their paths, with what the folders' names say."""
    import pyarrow as pa
    from pyarrow import dataset

    found = dataset.dataset(folder, format="parquet", partitioning="hive")
    for fragment in sorted(found.get_fragments(), key=lambda each: each.path):
        keys = dataset.get_partition_keys(fragment.partition_expression)
        with pa.OSFile(os.path.abspath(fragment.path), "rb") as stream:
            for batch in _parquet(stream, rows):
                yield _as_schema(pa, batch, found.schema, keys)


def _as_schema(pa: Any, batch: Any, schema: Any, keys: dict[str, Any]) -> Any:
    columns = []
    for field in schema:
        if field.name in batch.schema.names:
            columns.append(batch.column(field.name).cast(field.type))
        elif field.name in keys:
            value = pa.scalar(keys[field.name], field.type)
            columns.append(pa.repeat(value, batch.num_rows))
        else:
            columns.append(pa.nulls(batch.num_rows, field.type))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _sized(batches: Iterator[Any], rows: int | None) -> Iterator[Any]:
    """Batches of so many rows, whatever those of the file have."""
    import pyarrow as pa

    held: list[Any] = []
    count = 0
    for batch in batches:
        while rows is not None and count + batch.num_rows >= rows:
            taken = rows - count
            yield _joined(pa, [*held, batch.slice(0, taken)])
            batch = batch.slice(taken)
            held, count = [], 0
        if batch.num_rows:
            held.append(batch)
            count += batch.num_rows
    if held:
        yield _joined(pa, held)


def _joined(pa: Any, batches: list[Any]) -> Any:
    batches = [batch for batch in batches if batch.num_rows]
    if len(batches) == 1:
        return batches[0]
    table = pa.Table.from_batches(batches).unify_dictionaries().combine_chunks()
    return table.to_batches()[0]
